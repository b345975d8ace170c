"""A .pt2 file read without running anything that stands in it.

``torch.export.load`` trusts its file: sample inputs, weights and constants may be pickles, sizes are Python expressions
that sympy evaluates, operators are looked up by any name below ``torch`` (``torch.os.system`` is one), guards and names
become source text. So the file is never handed to it. `harmless` reads the members as data, holds every string of the
program against what an exported network needs, and builds a new archive in memory: the checked program and the raw
bytes of its tensors, nothing else. What needs more is refused with the reason.
"""

from __future__ import annotations

import io
import json
import math
import re
import zipfile
from pathlib import Path
from typing import Any

PROGRAM = "models/model.json"
PAYLOADS = {"data/weights/": "model_weights_config.json", "data/constants/": "model_constants_config.json"}
OLD = "version"  # member of the layout before torch 2.8, all of whose tensors are pickles
LARGEST_PROGRAM = 64 << 20  # bytes; the graph of a large network takes one or two millions

# Names, dotted paths, devices, versions, modes such as "tanh": nothing that could be more than a name in source text.
PLAIN = re.compile(r"[\w.+:\-]*")
EINSUM = re.compile(r"[A-Za-z.,> \-]*")
SYMBOL = re.compile(r"Symbol\('[a-z]+\d+'(?:, [a-z_]+=(?:True|False))*\)")
WORD = re.compile(r"[A-Za-z_]\w*")
EXPRESSION = re.compile(r"[\w(),+\-*/ .<>=]*")
LONGEST_EXPRESSION = 2000
POWER_OF_NUMBER = re.compile(r"[\d)]\s*\*\*|Pow\(Integer")  # 9**9**9 takes for ever
ARITHMETIC = frozenset({
    "Integer", "Rational", "Float", "Add", "Mul", "Pow", "Max", "Min", "Mod", "FloorDiv", "CeilDiv", "CleanDiv",
    "PythonMod", "ModularIndexing", "Where", "Eq", "Ne", "Equality", "Unequality", "StrictLessThan",
    "StrictGreaterThan", "LessThan", "GreaterThan", "Lt", "Le", "Gt", "Ge", "And", "Or", "Not", "true", "false",
    "True", "False", "TruncToInt", "TruncToFloat", "RoundToInt", "CeilToInt", "FloorToInt", "ToFloat",
    "IntTrueDiv", "FloatTrueDiv", "PowByNatural", "FloatPow", "Identity", "precision",
})  # fmt: skip
STACK = re.compile(r"[\w.,;@()\[\]]*")

OPERATOR = re.compile(
    r"_operator\.(add|sub|mul|floordiv|truediv|mod|neg|pow|abs|eq|ne|lt|le|gt|ge|and_|or_|not_|getitem)"
    r"|math\.(ceil|floor|trunc|sqrt|pow|log2)|torch\._?sym_\w+"
)
OVERLOAD = re.compile(r"torch\.ops\.(aten|prims|quantized|quantized_decomposed|torchvision)\.(\w+)\.(\w+)")
HIGHER_ORDER = frozenset(
    f"torch.ops.higher_order.{name}" for name in ("cond", "wrap_with_set_grad_enabled", "wrap_with_autocast")
)
TOUCHES_FILES = re.compile(r"from_file|save|load|print", re.IGNORECASE)
CONTAINERS = frozenset({None, "builtins.tuple", "builtins.list", "builtins.dict", "collections.OrderedDict"})


class Harmful(Exception):
    """The file holds something that could run code, or that no exported network needs; says what."""


def harmless(path: Path) -> io.BytesIO:
    """A checked copy of a file of ``torch.export.save``, for ``torch.export.load``.

    Raises:
        Harmful: a member needs pickle, names code, or is not what the format says.
        ValueError: the file is broken.
    """
    from torch.export.pt2_archive import PT2ArchiveWriter

    members = _members(path)
    program = _json(members, PROGRAM)
    _check_program(program)
    made = io.BytesIO()
    with PT2ArchiveWriter(made) as writer:
        writer.write_bytes(PROGRAM, json.dumps(program).encode())
        writer.write_bytes("data/sample_inputs/model.pt", b"")  # an example only, and a pickle
        for folder, listing in PAYLOADS.items():
            config = _json(members, folder + listing)
            for name in sorted(_payloads(config, members, folder)):
                writer.write_bytes(folder + name, members[folder + name])
            writer.write_bytes(folder + listing, json.dumps(config).encode())
    made.seek(0)
    return made


def _members(path: Path) -> dict[str, bytes]:
    """The members by their names inside the archive's one folder."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if sum(entry.file_size for entry in entries) > path.stat().st_size:
                raise Harmful("its members are compressed or overlap; torch stores them as they are")
            names = [entry.filename.partition("/")[2] or entry.filename for entry in entries]
            if len(set(names)) != len(names):
                raise Harmful("it has two members of one name")
            members = {name: archive.read(entry) for name, entry in zip(names, entries, strict=True)}
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError, ValueError, EOFError) as error:
        raise ValueError(f"it is no complete zip archive ({error})") from None
    _refuse_pickles(members)
    return members


def _refuse_pickles(members: dict[str, bytes]) -> None:
    for folder, listing in PAYLOADS.items():
        if folder + "model.pt" in members:
            raise Harmful(f"its {folder.split('/')[1]} are a pickle (layout of torch 2.8)")
        if PROGRAM in members and folder + listing not in members:
            raise Harmful(f"it lacks {folder}{listing}")
    if any(name.startswith("data/aotinductor/") for name in members):
        raise Harmful("it holds machine code of AOTInductor")
    if PROGRAM not in members:
        if OLD in members or any(name.startswith("serialized_") for name in members):
            raise Harmful("its tensors are pickles (layout of torch before 2.8)")
        raise Harmful(f"it lacks {PROGRAM}")


def _json(members: dict[str, bytes], name: str) -> dict[str, Any]:
    if len(members[name]) > LARGEST_PROGRAM:
        raise Harmful(f"{name} is larger than {LARGEST_PROGRAM >> 20} MB")
    try:
        content = json.loads(members[name])
    except (ValueError, RecursionError) as error:
        raise Harmful(f"{name} is no JSON ({error})") from None
    if not isinstance(content, dict):
        raise Harmful(f"{name} is no JSON object")
    return content


def _payloads(config: dict[str, Any], members: dict[str, bytes], folder: str) -> set[str]:
    """Names of the members that hold tensors, as raw bytes; everything else is refused."""
    from torch._export.serde.serialize import deserialize_scalar_type

    _check(config, folder)
    found = set()
    try:
        for entry in config["config"].values():
            name, meta = entry["path_name"], entry["tensor_meta"]
            if entry["use_pickle"] is not False or not re.fullmatch(r"(weight|tensor)_\d+", name):
                raise Harmful(f"{folder}{name} is a pickle or an object, not a tensor")
            sizes = [size["as_int"] for size in meta["sizes"]]
            itemsize = deserialize_scalar_type(meta["dtype"]).itemsize
            if any(not isinstance(size, int) or size < 0 for size in sizes):
                raise Harmful(f"{folder}{name} has sizes {sizes}")
            if not members[folder + name] and math.prod(sizes) * itemsize:
                raise Harmful(f"{folder}{name} is empty and claims {math.prod(sizes)} values")
            found.add(name)
    except (KeyError, TypeError, AttributeError) as error:
        raise Harmful(f"{folder} is not described as torch does ({error!r})") from None
    return found


def _check_program(program: dict[str, Any]) -> None:
    """Hold the program against what an exported network needs; drop what is only told, or would become source text."""
    program["guards_code"] = []
    try:
        if program["graph_module"].get("treespec_namedtuple_fields"):
            raise Harmful("it gives named tuples; export it with a plain output")
        _check(program, "")
    except RecursionError:
        raise Harmful(f"{PROGRAM} is nested too deeply") from None
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise Harmful(f"{PROGRAM} is not a program as torch writes it ({error!r})") from None


def _check(value: Any, key: str) -> None:
    """A value of the program and all inside it, found under ``key``."""
    if isinstance(value, dict):
        if "target" in value and "metadata" in value:
            stack = value["metadata"].get("nn_module_stack", "")
            value["metadata"] = {"nn_module_stack": stack} if stack and STACK.fullmatch(stack) else {}
            _check_operator(value["target"])
        for name, inner in value.items():
            if name in ("as_custom_obj", "custom_obj") or (name == "custom_obj_values" and inner):
                raise Harmful("it holds an object of a class of its own")
            _plain(name, "a name")
            if name != "nn_module_stack":
                _check(inner, name)
    elif isinstance(value, list):
        for inner in value:
            _check(inner, key)
    elif isinstance(value, str):
        _check_string(value, key)


def _check_string(text: str, key: str) -> None:
    if key == "expr_str":
        _check_expression(text)
    elif key == "as_operator":
        _check_operator(text)
    elif key in ("in_spec", "out_spec"):
        _, tree = json.loads(text)
        _check_tree(tree)
    elif key not in ("as_string", "as_strings") or not EINSUM.fullmatch(text):
        _plain(text, key)


def _plain(text: str, what: str) -> None:
    if not PLAIN.fullmatch(text):
        raise Harmful(f"{what} is {text[:60]!r}, which could be source text")


def _check_expression(text: str) -> None:
    """A size such as ``Mul(Integer(2), Symbol('s0', integer=True))``, which sympy evaluates as Python."""
    rest = SYMBOL.sub("1", text)
    words = set(WORD.findall(rest)) - ARITHMETIC
    unknown = {word for word in words if not re.fullmatch(r"[a-z]+\d+", word)}
    if len(text) > LONGEST_EXPRESSION or unknown or not EXPRESSION.fullmatch(rest) or POWER_OF_NUMBER.search(rest):
        raise Harmful(f"a size is {text[:60]!r}, which is more than arithmetic")


def _check_operator(target: str) -> None:
    """An operator of torch's own libraries that computes and does nothing else."""
    import torch

    if OPERATOR.fullmatch(target) or target in HIGHER_ORDER:
        return
    parts = OVERLOAD.fullmatch(target)
    found: Any = None
    if parts is not None and not TOUCHES_FILES.search(parts[2]):
        library, name, overload = parts.groups()
        found = getattr(getattr(getattr(torch.ops, library), name, None), overload, None)
    if not isinstance(found, torch._ops.OpOverload):
        raise Harmful(f"it uses {target[:60]!r}, which is no operator of a network")


def _check_tree(tree: dict[str, Any]) -> None:
    """How inputs or outputs are nested: containers of Python, whose keys are plain."""
    if tree["type"] not in CONTAINERS:
        raise Harmful(f"it takes or gives a {str(tree['type'])[:60]}; export it with tensors, tuples or dicts of them")
    keys = json.loads(tree["context"]) if tree["context"] is not None else None
    if keys is not None and not (isinstance(keys, list) and all(isinstance(name, str | int) for name in keys)):
        raise Harmful(f"its outputs are named {str(keys)[:60]}")
    for name in keys or ():
        _plain(str(name), "an output's name")
    for inner in tree["children_spec"]:
        _check_tree(inner)
