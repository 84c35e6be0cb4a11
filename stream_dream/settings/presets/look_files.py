"""Where looks with a name are: in the package, in the user's folder and in plug-ins."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from types import ModuleType

from stream_dream.runtime.plugins import LOOKS, attempt, loaded, warn
from stream_dream.settings.user_folder import looks_folder

DEFAULT_PRESET = "dogs"
SURPRISE = "surprise"
"""Value of ``--preset`` for a look that a seed decides on."""

YOURS = "yours"
"""Provider of the user's own looks."""

_NAME = re.compile(r"[\w-]+")  # in a list or track of looks, other signs mean something


@dataclass(frozen=True, slots=True)
class LookFile:
    """The file of a look with a name.

    Attributes:
        name: The look's name.
        file: Its TOML file.
        provider: Who has made it: ``YOURS`` or a plug-in, such as ``dream-flowers 1.2``; "" for
            this package.
    """

    name: str
    file: Traversable
    provider: str = ""

    @property
    def folder(self) -> Path | None:
        """Return the folder that its own files are looked up from; None for this package's."""
        return self.file.parent if self.provider and isinstance(self.file, Path) else None

    def warn(self, problem: str) -> None:
        """Log, once, that this look is left out."""
        known = self.provider == YOURS
        who = str(self.file) if known else f"the look {self.name!r} of the plug-in {self.provider}"
        warn(who, f"left out: {problem}")


def look_file(name: str) -> LookFile | None:
    """Return the look of that name; None if there is none. A shipped one imports no plug-ins."""
    shipped = _shipped().get(name)
    if shipped is None:
        return look_files().get(name)
    own = looks_folder() / f"{name}.toml"
    if own.is_file():
        look = LookFile(name, own, YOURS)
        look.warn(_problem(look, _shipped()) or "")
    return shipped


def look_files() -> dict[str, LookFile]:
    """Return all looks by name: the default one, the shipped ones, the user's, those of plug-ins.

    Who has a name first keeps it: what is shipped dreams the same on every machine.
    """
    found = dict(_shipped())
    for look in (*_of_user(), *_of_plugins()):
        problem = _problem(look, found)
        if problem is None:
            found[look.name] = look
        else:
            look.warn(problem)
    return found


@cache
def _shipped() -> dict[str, LookFile]:
    names = _named(resources.files("stream_dream.settings.presets"))
    looks = [LookFile(name, file) for name, file in names]
    return {look.name: look for look in sorted(looks, key=lambda look: look.name != DEFAULT_PRESET)}


def _of_user() -> list[LookFile]:
    try:
        return [LookFile(name, file, YOURS) for name, file in _named(looks_folder())]
    except FileNotFoundError:
        return []
    except OSError as error:
        warn(str(looks_folder()), f"its looks cannot be read: {error.strerror}")
        return []


@cache
def _of_plugins() -> tuple[LookFile, ...]:
    found = []
    for plugin, package in loaded(LOOKS):
        names: Iterable[tuple[str, Traversable]] = attempt(plugin, _looks_in, package) or ()
        found += [LookFile(name, file, plugin.provider) for name, file in names]
    return tuple(found)


def _looks_in(package: object) -> list[tuple[str, Path]]:
    if not (isinstance(package, ModuleType) and hasattr(package, "__path__")):
        raise TypeError("it names no package")
    folder = resources.files(package)
    files = [(name, file) for name, file in _named(folder) if isinstance(file, Path)]
    if not files:
        raise ValueError("it names a package without .toml files in a folder")
    return files


def _named(folder: Traversable) -> Iterator[tuple[str, Traversable]]:
    """Yield the TOML files of a folder and their names without extension, in order."""
    files = [file for file in folder.iterdir() if file.name.endswith(".toml")]
    for file in sorted(files, key=lambda file: file.name):
        yield file.name.removesuffix(".toml"), file


def _problem(look: LookFile, found: dict[str, LookFile]) -> str | None:
    """Return why a look cannot have its name; None if it can."""
    if not _NAME.fullmatch(look.name):
        return "a name has letters, digits, _ and - alone"
    if look.name == SURPRISE:
        return f"{SURPRISE} is the look that chance makes"
    if look.name in found:
        first = found[look.name].provider
        if first == "":
            return "a shipped look has that name, and dreams the same on every machine: rename it"
        return f"one of that name is {first if first == YOURS else f'of {first}'}"
    return None
