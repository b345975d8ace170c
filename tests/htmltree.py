"""An HTML page as a tree, for tests that look for what stands where."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "br", "img", "input", "hr"}


@dataclass
class Node:
    """An element with its attributes and, in their order, its texts and elements."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    inside: list[str | Node] = field(default_factory=list)

    def __iter__(self) -> Iterator[Node]:
        """The element and all below it, in the page's order."""
        yield self
        for part in self.inside:
            if isinstance(part, Node):
                yield from part

    def all(self, tag: str = "", style: str = "", **attributes: str) -> list[Node]:
        """Elements below this one with this name, this class and these attributes (``aria_label`` is aria-label)."""
        wanted = {name.replace("_", "-"): value for name, value in attributes.items()}
        return [
            node
            for node in self
            if (not tag or node.tag == tag)
            and (not style or style in node.attributes.get("class", "").split())
            and all(node.attributes.get(name) == value for name, value in wanted.items())
        ]

    def one(self, tag: str = "", style: str = "", **attributes: str) -> Node:
        """The only such element."""
        (node,) = self.all(tag, style, **attributes)
        return node

    @property
    def words(self) -> str:
        """All text below it, runs of spaces and line ends as one space; other kinds of space stay."""
        texts = [part for node in self for part in node.inside if isinstance(part, str)]
        return re.sub(r"[ \n]+", " ", self._text()) if texts else ""

    def _text(self) -> str:
        apart = "" if self.tag in ("span", "b", "small", "strong") else " "
        return apart + "".join(part if isinstance(part, str) else part._text() for part in self.inside) + apart


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open = [Node("")]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            element = self.open[-1].inside[-1]
            assert isinstance(element, Node)
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].inside.append(Node(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        self.open[-1].inside.append(data)


def tree(html: str) -> Node:
    """The page's root, whose parts are the document's."""
    builder = _Builder()
    builder.feed(html)
    builder.close()
    (root,) = builder.open
    return root
