"""Plug-ins: what other installed packages offer by entry points."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from typing import Any

from stream_dream.errors import first_line

NETWORKS = "stream_dream.networks"
"""Group of a ``NetworkSpec``, or a function that returns one or several."""

LOOKS = "stream_dream.looks"
"""Group of packages whose .toml files are looks."""

OUTPUTS = "stream_dream.outputs"
"""Group of functions, from what follows ``--out NAME:`` to a ``View`` of a show."""

log = logging.getLogger("stream_dream.plugins")
"""Gets a warning about each plug-in, and look of the user's folder, that cannot be used."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """An entry point of a package.

    Attributes:
        name: Its name.
        provider: Name and version of the package, such as ``dream-flowers 1.2``.
        entry: The entry point, which is not imported yet.
    """

    name: str
    provider: str
    entry: metadata.EntryPoint


@cache
def plugins(group: str) -> tuple[Plugin, ...]:
    """Return the entry points of a group, in the order of their packages' names."""
    found: dict[str, list[Plugin]] = {}
    for package in metadata.distributions():
        try:
            entries = package.entry_points.select(group=group)
            if entries:
                provider = _provider(package)
                # Of two versions on the path, the first is the one that is imported.
                found.setdefault(
                    provider.split()[0], [Plugin(e.name, provider, e) for e in entries]
                )
        except Exception as error:  # whatever is wrong with it, the others work
            problem = f"its entry points cannot be read ({_problem(error)})"
            warn(f"the plug-in {_provider(package)}", problem)
    return tuple(plugin for name in sorted(found) for plugin in found[name])


def _provider(package: metadata.Distribution) -> str:
    try:
        return f"{package.metadata['Name'].lower()} {package.version}"
    except Exception:  # damaged, too
        return "without-a-name"


def loaded(group: str) -> Iterator[tuple[Plugin, Any]]:
    """Yield the entry points of a group that can be imported, and what they name."""
    for plugin in plugins(group):
        value = attempt(plugin, plugin.entry.load)
        if value is not None:
            yield plugin, value


def attempt(plugin: Plugin, function: Any, *arguments: Any) -> Any:
    """Call a function of a plug-in and return its result; warn and return None if it fails."""
    try:
        return function(*arguments)
    except (Exception, SystemExit) as error:
        problem = f"{plugin.entry.group} {plugin.name!r} failed: {_problem(error)}"
        warn(f"the plug-in {plugin.provider}", problem)
        return None


@cache
def warn(what: str, problem: str) -> None:
    """Log, once, what is wrong with something; workers leave that to who started them."""
    from multiprocessing import parent_process  # late: --help does not wait for it

    if parent_process() is None:
        log.warning("%s: %s", what, problem)


def _problem(error: BaseException) -> str:
    return f"{type(error).__name__}: {first_line(error)}"
