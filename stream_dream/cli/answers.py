"""The events of commands that answer a question, each with one: their names, fields and types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedChunk:
    """A chunk of a plan.

    Attributes:
        number: Number of the chunk, from 0.
        shot: Number of its shot, from 0.
        first: Number of its first frame, from 0.
        frames: Number of its frames.
        source: Checksum of its source frames; null if they are not compared.
        begins: Checksum of the first of them.
        continues: True if it goes on with the shot of the chunk before.
        continued: True if the next chunk goes on with its shot.
    """

    number: int
    shot: int
    first: int
    frames: int
    source: int | None
    begins: int
    continues: bool
    continued: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanAnswer:
    """The answer of ``plan``.

    Attributes:
        frames: Frames of the film.
        shots: Number of shots.
        fps: Frames per second of the film.
        measured_fps: Frames per second that one worker dreams here; null if not measured.
        estimated_seconds: Time of the render with one worker; null if not measured.
        tempo: Beats per minute; null without beats.
        confidence: How sure the beats are, 0 to 1; null if they were given, or not looked for.
        beats: Seconds of each beat.
        bars: Seconds of each beat that begins a bar.
        clipped: One line on values that are clipped to their range; null if none are.
        late: A line for each key that comes after the end.
        shortfall: One line on frames that cannot be read; null if all can.
        chunks: The chunks.
        sheets: Pictures that were drawn: --contact-sheet, --curves.
    """

    frames: int
    shots: int
    fps: float
    measured_fps: float | None
    estimated_seconds: float | None
    tempo: float | None
    confidence: float | None
    beats: tuple[float, ...]
    bars: tuple[float, ...]
    clipped: str | None
    late: tuple[str, ...]
    shortfall: str | None
    chunks: tuple[PlannedChunk, ...]
    sheets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeAnswer:
    """The answer of ``recipe``; ``--like`` takes a file with this line.

    Attributes:
        recipe: The recipe, whose own number is ``recipe.recipe``.
    """

    recipe: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """A setting that holds if no option is given.

    Attributes:
        value: Its value; secrets are hidden.
        origin: Where it is set: your file, the look, or ``default``.
    """

    value: Any
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigAnswer:
    """The answer of ``config``.

    Attributes:
        file: Your file of defaults.
        exists: True if it is there.
        looks_folder: The folder of your looks.
        looks: Names of your looks.
        settings: By command and setting, what holds.
    """

    file: str
    exists: bool
    looks_folder: str
    looks: tuple[str, ...]
    settings: dict[str, dict[str, InForce]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedLook:
    """A look in a list.

    Attributes:
        name: As used in ``--preset``.
        description: What it looks like.
        suits: What footage it suits.
        provider: Who has made it; "" if it comes with stream-dream.
        layers: Its layers.
    """

    name: str
    description: str
    suits: str
    provider: str
    layers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetsAnswer:
    """The answer of ``presets``.

    Attributes:
        presets: All looks.
    """

    presets: tuple[ListedLook, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAnswer:
    """The answer of ``presets NAME``; and, before the work begins, the look of a surprise.

    Attributes:
        name: Name of the look.
        toml: Its file.
        settings: Its settings by name.
    """

    name: str
    toml: str
    settings: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedNetwork:
    """A network in a list.

    Attributes:
        name: As used in ``--network``.
        summary: What it is.
        provider: Who has made it; "" if it comes with stream-dream.
        weights: Where its weights come from.
        megabytes: Size of its weights.
        milliseconds: Time of a gradient with ``--measure``; null without.
        speed: How fast that is, where 1 is the default network; null without ``--measure``.
    """

    name: str
    summary: str
    provider: str
    weights: str
    megabytes: float
    milliseconds: float | None = None
    speed: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworksAnswer:
    """The answer of ``networks``, also with ``--measure``.

    Attributes:
        networks: The networks.
    """

    networks: tuple[ListedNetwork, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedLayer:
    """A layer in a list.

    Attributes:
        name: As used in ``--layer``.
        channels: Number of its channels.
        stride: Pixels per step of its map.
        dreams: What it dreams; "" if nobody has said.
    """

    name: str
    channels: int
    stride: int
    dreams: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LayersAnswer:
    """The answer of ``networks NAME``.

    Attributes:
        network: Name of the network.
        layers: Its layers.
    """

    network: str
    layers: tuple[ListedLayer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundHere:
    """What ``doctor`` has found.

    Attributes:
        what: What was looked at.
        found: Its version, number or state.
        advice: What to do; "" for nothing.
        broken: True if nothing can be dreamed without it.
    """

    what: str
    found: str
    advice: str
    broken: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorAnswer:
    """The answer of ``doctor``. Its exit code is 1 if something is broken.

    Attributes:
        ok: True if nothing is broken.
        findings: What was found.
    """

    ok: bool
    findings: tuple[FoundHere, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedPage:
    """A page of the manual in a list.

    Attributes:
        topic: As used in ``help TOPIC``.
        title: Its title.
    """

    topic: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ManualAnswer:
    """The answer of ``help``.

    Attributes:
        topic: The page; null for the list of all.
        text: The page in Markdown; null for the list.
        pages: All pages; empty for one page.
    """

    topic: str | None = None
    text: str | None = None
    pages: tuple[ListedPage, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicesAnswer:
    """The answer of ``live`` with ``--list-cameras``, ``--listen list`` or ``--midi list``.

    Attributes:
        kind: ``camera``, ``sound`` or ``midi``.
        devices: What to give for each; of sound, a line with its kind and name.
    """

    kind: Literal["camera", "sound", "midi"]
    devices: tuple[str, ...]


ANSWERS: dict[str, type[Any]] = {
    "plan": PlanAnswer,
    "recipe": RecipeAnswer,
    "config": ConfigAnswer,
    "presets": PresetsAnswer,
    "look": LookAnswer,
    "networks": NetworksAnswer,
    "layers": LayersAnswer,
    "doctor": DoctorAnswer,
    "manual": ManualAnswer,
    "devices": DevicesAnswer,
}
"""The answers by name."""
