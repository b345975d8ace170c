"""The settings reference: every key of analysis.yaml."""

from __future__ import annotations

import yaml

from shiftlens.core.config.settings import SLOTS, General, defaults, name_key
from writing.fields import components, settings_table
from writing.markdown import name, table
from writing.source import built_ins, plural

INTRODUCTION = """# Settings

`analysis.yaml` fills *slots* (the two domains, the classifier, the generator …) with components, and sets a few values
of its own. `shiftlens init` writes one to start from, `shiftlens schema` prints this page as JSON Schema for editors,
and `shiftlens plugins show NAME` prints the settings of one component, those of installed plugins too.

- Paths are relative to the folder that the file stands in.
- A component is named by `name`, a reader by `reader`; its other keys stand beside it:
  `generator: {name: vae, latent: 16}`. A bare word is the name: `loss: entropy`. Readers and classifiers may leave the
  name out where the path tells: `source: {path: before.npz}`.
- Keys without a name change the default component: `selector: {pairs: 10}`.
- On the command line, `--set generator.latent=8` changes one key.
- All mistakes of a file are told at once, each with its line and the near miss."""


def page() -> str:
    """The whole page."""
    slots = [
        (
            f"[`{key}`](#slot-{key})",
            f"list of {plural(slot.kind.kind)}" if slot.many else slot.kind.kind,
            _default(key),
            slot.help,
        )
        for key, slot in SLOTS.items()
    ]
    parts = [INTRODUCTION, "## Values", settings_table(General), "## Slots"]
    parts.append(table(("key", "filled by", "default", "meaning"), slots))
    shown: dict[str, str] = {}
    for key, slot in SLOTS.items():
        parts.append(f"## {key} {{: #slot-{key} }}")
        parts.append(f"{slot.help[0].upper()}{slot.help[1:]}.")
        if slot.kind.kind in shown:
            parts.append(f"The same readers as for [`{shown[slot.kind.kind]}`](#slot-{shown[slot.kind.kind]}).")
            continue
        shown[slot.kind.kind] = key
        hook = f"shiftlens_{plural(slot.kind.kind)}"
        parts.append(f"Named by `{name_key(slot.kind)}`; plugins add to them by the hook [`{hook}`](hooks/{hook}.md).")
        parts.append(components(built_ins(slot.kind)))
    return "\n\n".join(parts)


def _default(key: str) -> str:
    if SLOTS[key].required:
        return "required"
    return name(yaml.safe_dump(defaults().get(key), default_flow_style=True, width=1000).split("\n")[0])
