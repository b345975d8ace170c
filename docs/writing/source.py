"""What there is to tell: the hooks, and the components that ship with shiftlens."""

from __future__ import annotations

from shiftlens import Host
from shiftlens.core.host import hookspecs
from shiftlens.core.host.descriptions import plural
from shiftlens.core.host.kinds import KINDS, Component

HOOKS = [name for name in vars(hookspecs) if name.startswith("shiftlens_")]


KIND_OF = {f"shiftlens_{plural(kind.kind)}": kind for kind in KINDS}
"""The kind of what each offering hook yields; the hooks that only tell what happens are not in it."""


def built_ins(kind: type[Component]) -> list[Component]:
    """The components of a kind that come with shiftlens itself, in the order of registration."""
    return [offer.component for offer in HOST.offers(kind) if offer.distribution == "shiftlens"]


HOST = Host(strict=True)
