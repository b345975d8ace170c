"""Mutants: small wrong changes of one expression each, found in a module and drawn by chance.

A mutant is one change of one expression: a comparison turned round, a sign, a factor upside down, a term or a condition
left out, a number half as large again, arguments swapped, least for most. Messages, types, documentation, seeds and
defaults of settings are left alone.
"""

from __future__ import annotations

import ast
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

TURNED: dict[type[ast.cmpop], str] = {
    ast.Lt: ">=", ast.LtE: ">", ast.Gt: "<=", ast.GtE: "<", ast.Eq: "!=", ast.NotEq: "==",
    ast.Is: "is not", ast.IsNot: "is", ast.In: "not in", ast.NotIn: "in",
}  # fmt: skip
OTHER_SIGN: dict[type[ast.operator], str] = {
    ast.Add: "-", ast.Sub: "+", ast.Mult: "/", ast.Div: "*", ast.Pow: "*", ast.Mod: "+", ast.FloorDiv: "*",
}  # fmt: skip
OTHER_CALL = {
    "min": "max", "max": "min", "minimum": "maximum", "maximum": "minimum", "any": "all", "all": "any",
    "argmin": "argmax", "argmax": "argmin", "sin": "cos", "cos": "sin", "mean": "sum", "std": "var",
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """One change of one module: the characters from ``start`` to ``stop`` become ``text``.

    Attributes:
        path: of the module, from the root of the repository.
        place: the class and function that it stands in, by their names.
        line: of the expression.
        statement: first and last line of the statement around it; of one with a body, of its head.
        kind: of change.
        before: the expression as it is.
    """

    path: str
    place: str
    line: int
    statement: tuple[int, int]
    kind: str
    start: int
    stop: int
    before: str
    text: str

    @property
    def name(self) -> str:
        """What stands in the table, the same as long as the function and the expression are."""
        return f"{self.path.rsplit('/', 1)[1]}, {self.place}: {_short(self.before)} → {_short(self.text)}"


def _short(code: str) -> str:
    line = " ".join(code.split())
    return f"`{line if len(line) <= 70 else line[:67] + '...'}`".replace("|", "\\|")


class _Finder(ast.NodeVisitor):
    """Every mutant of one module."""

    def __init__(self, path: str, source: str) -> None:
        self.path, self.source, self.found = path, source, list[Mutant]()
        self.places: list[str] = []
        lines = source.splitlines(keepends=True)
        self.starts = [0]
        for line in lines:
            self.starts.append(self.starts[-1] + len(line))
        self.lines, self.statement = lines, (1, 1)
        self.visit(ast.parse(source))

    def visit(self, node: ast.AST) -> None:
        if isinstance(node, ast.stmt):
            body = getattr(node, "body", None)
            last = body[0].lineno - 1 if body else node.end_lineno or node.lineno
            self.statement = node.lineno, max(node.lineno, last)
        super().visit(node)

    def _at(self, line: int, column: int) -> int:
        return self.starts[line - 1] + len(self.lines[line - 1].encode()[:column].decode())

    def _text(self, node: ast.expr) -> str:
        return ast.get_source_segment(self.source, node) or ""

    def _add(self, node: ast.expr, kind: str, text: str) -> None:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start, stop = self._at(node.lineno, node.col_offset), self._at(node.end_lineno, node.end_col_offset)
        place = ".".join(self.places) or "module"
        self.found.append(
            Mutant(self.path, place, node.lineno, self.statement, kind, start, stop, self.source[start:stop], text)
        )

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:  # annotations and defaults stay
        self.places.append(node.name)
        for statement in node.body:
            self.visit(statement)
        self.places.pop()

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.places.append(node.name)
        for statement in node.body:
            self.visit(statement)
        self.places.pop()

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None and not (isinstance(node.value, ast.Call) and _called(node.value) == "Field"):
            self.visit(node.value)

    def visit_Raise(self, node: ast.Raise) -> None:
        """Messages are left alone."""

    def visit_Assert(self, node: ast.Assert) -> None:
        """What cannot be otherwise is left alone."""

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                self.visit(part.value)

    def visit_Subscript(self, node: ast.Subscript) -> None:  # which axis, which row: seen by the shapes
        self.visit(node.value)

    def visit_Compare(self, node: ast.Compare) -> None:
        if len(node.ops) == 1 and type(node.ops[0]) in TURNED:
            sides = self._text(node.left), self._text(node.comparators[0])
            self._add(node, "comparison", f"{sides[0]} {TURNED[type(node.ops[0])]} {sides[1]}")
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        left, right = self._text(node.left), self._text(node.right)
        words = any(
            isinstance(side, ast.Constant | ast.JoinedStr) and not _numeric(side) for side in (node.left, node.right)
        )
        if type(node.op) in OTHER_SIGN and not words:
            self._add(node, "sign", f"({left}) {OTHER_SIGN[type(node.op)]} ({right})")
            if isinstance(node.op, ast.Add | ast.Sub | ast.Mult | ast.Div):
                self._add(node, "term left out", f"({left})")
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.USub | ast.Not):
            self._add(node, "sign", f"({self._text(node.operand)})")
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        texts = [self._text(value) for value in node.values]
        word = " or " if isinstance(node.op, ast.And) else " and "
        self._add(node, "condition", word.join(f"({text})" for text in texts))
        self._add(node, "term left out", f"({texts[0]})")
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        test, then, other = (self._text(part) for part in (node.test, node.body, node.orelse))
        self._add(node, "condition", f"(({other}) if ({test}) else ({then}))")
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if (_numeric(node) and abs(node.value) >= 1e-4) or (node.value == 0 and _numeric(node)):
            more = node.value + 1 if isinstance(node.value, int) else 1.5 * node.value or 1.0
            self._add(node, "number", repr(more))

    def visit_Call(self, node: ast.Call) -> None:
        name = _called(node)
        if name == "default_rng":
            return
        if name in OTHER_CALL:
            function = self._text(node.func)
            self._add(node.func, "least for most", function[: len(function) - len(name)] + OTHER_CALL[name])
        if (
            len(node.args) >= 2
            and not any(isinstance(arg, ast.Starred) for arg in node.args[:2])
            and name != "isinstance"
        ):
            one, other = (self._text(arg) for arg in node.args[:2])
            if one != other:
                start = self._at(node.lineno, node.col_offset)
                whole = self._text(node)
                first = self._at(node.args[0].lineno, node.args[0].col_offset) - start
                assert node.args[1].end_lineno is not None
                assert node.args[1].end_col_offset is not None
                last = self._at(node.args[1].end_lineno, node.args[1].end_col_offset) - start
                self._add(node, "arguments swapped", f"{whole[:first]}{other}, {one}{whole[last:]}")
        self.generic_visit(node)


def _numeric(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool)


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def mutants_of(path: str, source: str) -> list[Mutant]:
    """Every mutant of a module that differs from it by more than its brackets."""
    return [m for m in _Finder(path, source).found if _meaning(m.before) != _meaning(m.text)]


def _meaning(expression: str) -> str:
    return ast.dump(ast.parse(f"({expression})", mode="eval"))


def mutated(source: str, mutant: Mutant) -> str:
    return source[: mutant.start] + mutant.text + source[mutant.stop :]


def drawn(mutants: list[Mutant], count: int, seed: int) -> list[Mutant]:
    """So many mutants by chance: the modules take turns, and within a module the kinds of change."""
    rng = random.Random(seed)
    modules: dict[str, dict[str, list[Mutant]]] = defaultdict(lambda: defaultdict(list))
    for mutant in rng.sample(mutants, len(mutants)):
        modules[mutant.path][mutant.kind].append(mutant)

    def turns(kinds: dict[str, list[Mutant]]) -> Iterator[Mutant]:
        left = rng.sample(sorted(kinds), len(kinds))
        while left:
            for kind in list(left):
                yield kinds[kind].pop()
                if not kinds[kind]:
                    left.remove(kind)

    waiting = {path: turns(kinds) for path, kinds in sorted(modules.items())}
    chosen: list[Mutant] = []
    while waiting and len(chosen) < count:
        for path in rng.sample(sorted(waiting), len(waiting)):
            mutant = next(waiting[path], None)
            if mutant is None:
                del waiting[path]
            elif len(chosen) < count:
                chosen.append(mutant)
    return sorted(chosen, key=lambda m: (m.path, m.line, m.start, m.text))
