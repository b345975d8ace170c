"""analysis.yaml -> typed settings: all mistakes at once, each with its line, its key and the near miss.

A settings file fills *slots* (source, classifier, generator, ...) with components that plugins offer, and sets a few
values of its own. Each component validates its own settings; nothing here knows a component by name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, Field, ValidationError, field_validator

from shiftlens.core.causes.policy import TrialSettings
from shiftlens.core.config.resolved import base_of
from shiftlens.core.config.yaml_file import KeyPath, dotted, line_of, parse_yaml, read_yaml, told
from shiftlens.core.errors import InputError, Mistake, PluginError, SettingsError, near_miss
from shiftlens.core.files import read_text
from shiftlens.core.grid.interpolate import LARGEST_SIDE
from shiftlens.core.host.descriptions import NAME, plural
from shiftlens.core.host.host import Host
from shiftlens.core.host.kinds import (
    Classifier,
    Component,
    ComponentSettings,
    Converter,
    Factor,
    Generator,
    Loss,
    Observer,
    Reader,
    Remedy,
    Renderer,
    Selector,
)


class GridSettings(ComponentSettings):
    """Size and form of the grid between the two samples of a pair."""

    features: int = Field(5, ge=2, le=LARGEST_SIDE, description="columns: steps from source to target features")
    losses: int = Field(5, ge=2, le=LARGEST_SIDE, description="rows: steps from the source's to the target's loss")
    interpolation: Literal["linear", "spherical"] = Field(
        "linear",
        description="how features are interpolated: on the straight line, or on the arc (for latents of a VAE)",
    )
    calibrate: bool = Field(
        True, description="ask the decoder for the loss whose cell, measured by the classifier, has the requested loss"
    )
    second_opinion: bool = Field(
        True, description="train a second classifier on the source's labels, to score the cells again (seconds)"
    )


class RemedySettings(ComponentSettings):
    """What is tried to bring the accuracy back, and how it is measured."""

    measure: Literal["auto", "off"] | list[str | dict[str, Any]] = Field(
        "auto", description="auto: every remedy that fits; off; or a list of remedies, each a name or {name: ...}"
    )
    held_out: float = Field(
        0.5, gt=0, lt=1, description="share of the target that the remedies are measured on and nothing else looks at"
    )
    samples: int = Field(2000, ge=50, description="source samples that a remedy learns from, and as many changed ones")
    seeds: int = Field(5, ge=1, le=50, description="how often what learns is done, each time with other chance")
    command: str = Field(
        "",
        description="your own training, such as python train.py --data {augmented} --out {classifier}: {augmented} is "
        "an .npz with x and y, {classifier} the .onnx file to write",
    )
    timeout: float = Field(3600.0, gt=0, description="seconds after which the command is stopped")

    @field_validator("measure", mode="before")
    @classmethod
    def _word(cls, value: Any) -> Any:
        """YAML reads a bare ``off`` as false."""
        return "off" if value is False else value


class General(ComponentSettings):
    """The values of a settings file that belong to no component."""

    name: str = Field("analysis", min_length=1, max_length=200, description="title of the report")
    seed: int = Field(0, ge=0, lt=2**32, description="every random number follows from it")
    device: str = Field(
        "auto", pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$", description="auto, cpu, cuda, cuda:1 or mps, for training"
    )
    batch_size: int = Field(256, ge=1, description="samples scored, encoded or decoded in one call")
    grid: GridSettings = Field(GridSettings(), description="size and form of the grid")
    trial: TrialSettings = Field(TrialSettings(), description="how much is measured, and what is worth naming")
    remedy: RemedySettings = Field(RemedySettings(), description="what is tried to bring the accuracy back")


@dataclass(frozen=True)
class Slot:
    """A place in the settings file that a component fills."""

    kind: type[Component]
    help: str
    required: bool = False
    many: bool = False
    optional: bool = False  # null, which is the default, leaves it empty
    auto: bool = False  # a slot of many that may say "auto"


SLOTS: dict[str, Slot] = {
    "source": Slot(Reader, "the data before the shift, on which the classifier is good", required=True),
    "target": Slot(Reader, "the data after the shift, on which it is bad", required=True),
    "classifier": Slot(Classifier, "the model under analysis: a file, a callable, or {train: ...}", required=True),
    "loss": Slot(Loss, "how wrong the classifier is on one sample"),
    "factors": Slot(Factor, "auto: all that fit the kind of sample; or a list", many=True, auto=True),
    "generator": Slot(Generator, "encoder and decoder, the decoder conditioned on the loss"),
    "converter": Slot(
        Converter, "the source side of a pair is made from its target side by this; null: real samples", optional=True
    ),
    "selector": Slot(Selector, "picks the pairs to be shown"),
    "reports": Slot(Renderer, "what to write at the end", many=True),
    "observers": Slot(Observer, "what follows the run, such as a tracker of experiments", many=True),
}
EVERY_SETTING = (*General.model_fields, *SLOTS)


def name_key(kind: type[Component]) -> str:
    """The key that names the component of a slot: ``reader`` for the two domains, ``name`` everywhere else."""
    return "reader" if issubclass(kind, Reader) else "name"


@dataclass(frozen=True)
class Choice:
    """A component with its settings: what fills one slot."""

    component: Component
    settings: ComponentSettings

    @property
    def name(self) -> str:
        """The component's name."""
        return self.component.name

    def build(self) -> Any:
        """The worker; a fault in a plugin's own code becomes a `PluginError` that names it."""
        from shiftlens.core.errors import ShiftlensError

        try:
            return self.component.build(self.settings)
        except ShiftlensError:
            raise
        except (Exception, SystemExit) as error:
            raise PluginError(f'the {self.component.kind} "{self.name}" could not be built: {error!r}') from error

    def plain(self, base: Path) -> dict[str, Any]:
        """Name and all settings, defaults included, as plain values; paths below ``base`` relative to it."""
        settings = _with_paths(self.settings, lambda path: _relative(path, base))
        return {name_key(type(self.component)): self.name, **settings.model_dump(mode="json")}


@dataclass(frozen=True)
class Settings:
    """The resolved settings of one analysis.

    Attributes:
        general: name, seed, device and the other values of the file itself.
        source, target, classifier, loss, generator, selector: the component in each slot.
        factors: None for ``auto``, else the factors asked for.
        converter: None where pairs show real source samples.
        reports: the renderers to run at the end.
        observers: what is told of the run as it goes; the results do not depend on them.
        remedies: None for all that fit, else those of ``remedy.measure``.
        base: the folder that relative paths started from.
    """

    general: General
    source: Choice
    target: Choice
    classifier: Choice
    loss: Choice
    factors: tuple[Choice, ...] | None
    generator: Choice
    converter: Choice | None
    selector: Choice
    reports: tuple[Choice, ...]
    observers: tuple[Choice, ...]
    remedies: tuple[Choice, ...] | None
    base: Path

    @classmethod
    def load(cls, path: str | Path, host: Host | None = None, overrides: Iterable[str] = ()) -> Settings:
        """Read a settings file; ``overrides`` are ``key.path=value`` as of ``--set``."""
        return load_settings(path, host, overrides)

    @classmethod
    def parse(cls, raw: Mapping[str, Any], base: str | Path = ".", host: Host | None = None) -> Settings:
        """Settings from a mapping of the same form as the file; relative paths start from ``base``."""
        return RawSettings(dict(raw), base_of(Path(base).resolve())).resolved(host or Host())

    def plain(self) -> dict[str, Any]:
        """Everything, defaults included, as plain values: what settings.yaml in the run directory holds.

        Paths below the base are relative to it: the same analysis in another folder has the same settings.
        """
        values = self.general.model_dump(mode="json")
        for slot in SLOTS:
            chosen = getattr(self, slot)
            if chosen is None:
                values[slot] = None if SLOTS[slot].optional else "auto"
            elif isinstance(chosen, tuple):
                values[slot] = [choice.plain(self.base) for choice in chosen]
            else:
                values[slot] = chosen.plain(self.base)
        return values

    @property
    def sha256(self) -> str:
        """Of the plain values in canonical JSON; it does not depend on the folder that the analysis lies in."""
        return hashlib.sha256(json.dumps(self.plain(), sort_keys=True).encode()).hexdigest()


@dataclass
class RawSettings:
    """Settings as they were written, not yet looked at.

    Attributes:
        values: by key.
        base: the folder that relative paths start from.
        origin: where they stand, as messages name it.
        lines: in which line each key stands, where they come from a file.
        mistakes: found so far.
    """

    values: dict[str, Any]
    base: Path
    origin: str = "the settings"
    lines: dict[KeyPath, int] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)

    @classmethod
    def read(cls, path: str | Path) -> RawSettings:
        """Of a settings file, or of the ``analysis.yaml`` in a folder.

        Raises:
            InputError: there is none, or it is not YAML.
        """
        path = Path(path)
        if path.is_dir() and (path / "analysis.yaml").is_file():
            path = path / "analysis.yaml"
        if not path.exists():
            raise InputError(
                f"there is no settings file {path}; `shiftlens init DIR --source ... --target ...` writes one"
            )
        values, lines, mistakes = read_yaml(read_text(path), str(path))
        return cls(values, base_of(path.resolve().parent), str(path), lines, mistakes)

    def resolved(self, host: Host) -> Settings:
        """Every slot filled.

        Raises:
            SettingsError: with all mistakes at once.
        """
        return _resolve(self.values, self.base, host, self.lines, self.mistakes, self.origin)


def load_settings(path: str | Path, host: Host | None = None, overrides: Iterable[str] = ()) -> Settings:
    """Read a settings file.

    Raises:
        SettingsError: with all mistakes of the file at once.
    """
    raw = RawSettings.read(path)
    for override in overrides:
        apply_override(raw.values, override)
    return raw.resolved(host or Host())


def apply_override(raw: dict[str, Any], override: str) -> None:
    """Set ``key.path=value`` in the raw mapping; the value is YAML."""
    key, equals, value = override.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts):
        raise InputError(f'--set takes key.path=value, for example --set grid.features=7; not "{override}"')
    here = raw
    for part in parts[:-1]:
        below = here.get(part)
        if isinstance(below, str) and part in SLOTS:  # "generator: vae" is short for {name: vae}, "x.onnx" for a path
            below = {name_key(SLOTS[part].kind): below} if NAME.fullmatch(below) else {"path": below}
        here[part] = dict(below) if isinstance(below, dict) else {}
        here = here[part]
    try:
        here[parts[-1]] = parse_yaml(value)
    except yaml.YAMLError as error:
        raise InputError(f'--set {key}: "{value:.80}" is not a YAML value: {told(error)}') from None


@cache
def defaults() -> dict[str, Any]:
    """What a settings file leaves out, from templates/defaults.yaml."""
    text = resources.files("shiftlens.templates").joinpath("defaults.yaml").read_text(encoding="utf-8")
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


class _Resolver:
    """Turns one raw mapping into settings, collecting mistakes as it goes."""

    def __init__(self, host: Host, base: Path, lines: dict[KeyPath, int], mistakes: list[Mistake]) -> None:
        self.host, self.base, self.lines, self.mistakes = host, base, lines, mistakes

    def mistake(self, path: KeyPath, message: str) -> None:
        self.mistakes.append(Mistake(dotted(path), message, line_of(path, self.lines)))

    def validate(self, model: type[BaseModel], values: Any, path: KeyPath) -> BaseModel | None:
        """An instance of ``model``, or None with the mistakes noted."""
        try:
            return model.model_validate(values)
        except ValidationError as error:
            for fault in error.errors():
                location = (*path, *fault["loc"])
                if fault["type"] == "extra_forbidden":
                    known = list(_fields_at(model, fault["loc"][:-1]))
                    word = str(fault["loc"][-1])
                    self.mistake(
                        location, f"is not a setting here; {near_miss(word, known)}there are: {_listed(known)}"
                    )
                elif fault["type"] == "missing":
                    self.mistake(location, "is missing")
                else:
                    given = f" (it is {fault['input']!r})" if not isinstance(fault["input"], dict | list) else ""
                    self.mistake(location, f"{fault['msg'][0].lower()}{fault['msg'][1:]}{given}")
        return None

    def choose(self, kind: type[Component], raw: Any, path: KeyPath) -> Choice | None:
        """The component that a slot's raw value means, with its validated settings."""
        if isinstance(raw, str):
            raw = self.spelled_out(kind, raw)
        if not isinstance(raw, dict):
            self.mistake(path, f"must be a name or a mapping, not {type(raw).__name__}")
            return None
        key = name_key(kind)
        values = {field: value for field, value in raw.items() if field != key}
        component: Component | None
        try:
            if key in raw:
                component = self.host.find(kind, str(raw[key]))
            elif kind in (Reader, Classifier):
                component = self.host.claiming(kind, values, self.base)
            else:
                component = None
        except PluginError as error:
            self.mistake((*path, key), str(error))
            return None
        if component is None:
            self.mistake(path, self._what_is_missing(kind, values))
            return None
        settings = self.validate(component.settings, values, path)
        if settings is None:
            return None
        assert isinstance(settings, ComponentSettings)
        return Choice(component, _with_absolute_paths(settings, self.base))

    def no_doubles(self, chosen: Iterable[Choice | None], slot: str) -> None:
        """Each component once: what a second one finds or writes would take the place of the first.

        A factor of single columns may stand for several of them.
        """
        first: dict[Any, int] = {}
        for index, choice in enumerate(chosen):
            if choice is None:
                continue
            one_of_many = isinstance(choice.component, Factor) and choice.component.per_column
            what = (choice.name, getattr(choice.settings, "column", None) if one_of_many else None)
            if first.setdefault(what, index) != index:
                self.mistake((slot, index), f'"{choice.name}" stands a second time (first as {slot}[{first[what]}])')

    def spelled_out(self, kind: type[Component], word: str) -> dict[str, str]:
        """The mapping that a bare word is short for: a name, or (for what is read from files) a path."""
        is_path = not NAME.fullmatch(word) or (word not in self.host.names(kind) and (self.base / word).exists())
        return {"path": word} if kind in (Reader, Classifier) and is_path else {name_key(kind): word}

    def _what_is_missing(self, kind: type[Component], values: Mapping[str, Any]) -> str:
        names = _listed(self.host.names(kind))
        if "path" in values:
            where = self.base / str(values["path"])
            state = "" if where.exists() else f" ({where} does not exist)"
            known = f'say which with "{name_key(kind)}": {names}'
            return f"no {kind.kind} knows what to do with {values['path']!r}{state}; {known}"
        return f'says no "{name_key(kind)}"; there are: {names}'


def _resolve(
    raw: dict[str, Any], base: Path, host: Host, lines: dict[KeyPath, int], mistakes: list[Mistake], origin: str
) -> Settings:
    resolver = _Resolver(host, base, lines, mistakes)
    known = [*General.model_fields, *SLOTS]
    for key in raw:
        if key not in known:
            resolver.mistake((str(key),), f"is not a setting; {near_miss(str(key), known)}there are: {_listed(known)}")
    general = resolver.validate(General, {k: v for k, v in raw.items() if k in General.model_fields}, ())
    chosen: dict[str, Any] = {}
    for name, slot in SLOTS.items():
        value = raw[name] if raw.get(name) is not None else defaults().get(name)
        if value is None and slot.optional:
            chosen[name] = None
        elif value is None:
            resolver.mistake((name,), f"is missing: {slot.help}")
        elif slot.auto and value == "auto":
            chosen[name] = None
        elif slot.many:
            values = value if isinstance(value, list) else [value]
            chosen[name] = tuple(resolver.choose(slot.kind, v, (name, i)) for i, v in enumerate(values))
            resolver.no_doubles(chosen[name], name)
        else:
            chosen[name] = resolver.choose(slot.kind, _named(value, defaults().get(name)), (name,))
    chosen["remedies"] = _remedies(resolver, general)
    if mistakes:
        raise SettingsError(origin, mistakes)
    assert isinstance(general, General)
    return Settings(general=general, base=base, **chosen)


def _remedies(resolver: _Resolver, general: BaseModel | None) -> tuple[Choice | None, ...] | None:
    """What ``remedy.measure`` asks for: None for all that fit."""
    if not isinstance(general, General) or general.remedy.measure == "auto":
        return None
    wanted = [] if general.remedy.measure == "off" else general.remedy.measure
    return tuple(resolver.choose(Remedy, raw, ("remedy", "measure", i)) for i, raw in enumerate(wanted))


def _named(value: Any, default: Any) -> Any:
    """``{pairs: 5}`` without a name means the default component with other settings."""
    if not isinstance(value, dict) or "name" in value or default is None:
        return value
    return {"name": default if isinstance(default, str) else default["name"], **value}


def choices(host: Host, kind: type[Component], raws: Iterable[Any], base: Path) -> list[Choice]:
    """Components of one kind from a list of raw values, as a slot of many takes them.

    Raises:
        SettingsError: with all mistakes at once.
    """
    mistakes: list[Mistake] = []
    resolver = _Resolver(host, base, {}, mistakes)
    found = [resolver.choose(kind, raw, (f"{kind.kind}s", i)) for i, raw in enumerate(raws)]
    if mistakes:
        raise SettingsError(f"the list of {plural(kind.kind)}", mistakes)
    return [choice for choice in found if choice is not None]


def settings_schema(host: Host) -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of the settings file, with every component that this host offers."""
    schema = General.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "shiftlens analysis"
    definitions = schema.setdefault("$defs", {})
    for name, slot in SLOTS.items():
        variants = []
        for offer in host.offers(slot.kind):
            key = f"{slot.kind.kind}-{offer.component.name}"
            if key not in definitions:
                definitions[key] = _component_schema(offer.component, definitions)
                variants.append({"$ref": f"#/$defs/{key}"})
            elif {"$ref": f"#/$defs/{key}"} not in variants:
                variants.append({"$ref": f"#/$defs/{key}"})
        one: dict[str, Any] = {"anyOf": [{"enum": host.names(slot.kind)}, *variants], "description": slot.help}
        if slot.many:
            auto = [{"const": "auto"}] if slot.auto else []
            one = {"anyOf": [*auto, {"type": "array", "items": one}], "description": slot.help}
        if slot.optional:
            one["anyOf"].insert(0, {"type": "null"})
        schema["properties"][name] = one
    schema["required"] = [name for name, slot in SLOTS.items() if slot.required]
    return schema


def _component_schema(component: Component, definitions: dict[str, Any]) -> dict[str, Any]:
    own = component.settings.model_json_schema()
    for key, value in own.pop("$defs", {}).items():
        definitions.setdefault(key, value)
    own["properties"] = {name_key(type(component)): {"const": component.name}, **own.get("properties", {})}
    own["title"], own["description"] = component.name, component.summary
    return own


def _with_absolute_paths(settings: ComponentSettings, base: Path) -> ComponentSettings:
    """Paths of a settings file are relative to the folder it stands in."""
    return _with_paths(settings, lambda path: base / path.expanduser())


def _with_paths(settings: ComponentSettings, changed: Callable[[Path], Path]) -> ComponentSettings:
    """The same settings with each path, alone or in a tuple, changed."""
    updates: dict[str, Any] = {}
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, Path):
            updates[name] = changed(value)
        elif isinstance(value, tuple) and any(isinstance(entry, Path) for entry in value):
            updates[name] = tuple(changed(entry) if isinstance(entry, Path) else entry for entry in value)
    return settings.model_copy(update=updates) if updates else settings


def _relative(path: Path, base: Path) -> Path:
    """A path as it is told in a folder; one that does not lie below that folder stays as it is."""
    return path.relative_to(base) if path.is_relative_to(base) else path


def _fields_at(model: type[BaseModel], location: tuple[int | str, ...]) -> Iterable[str]:
    """The field names of the (possibly nested) model that a validation error's location points into."""
    for part in location:
        if not isinstance(part, str) or part not in model.model_fields:
            return []
        annotation = model.model_fields[part].annotation
        nested = [a for a in (annotation, *getattr(annotation, "__args__", ())) if isinstance(a, type)]
        nested = [a for a in nested if issubclass(a, BaseModel)]
        if not nested:
            return []
        model = nested[0]
    return model.model_fields


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
