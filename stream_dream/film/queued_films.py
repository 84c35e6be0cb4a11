"""The films of a render queue: what is read, and where their dreams are written."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from stream_dream.errors import SettingsError, SinkError, SourceError
from stream_dream.film.request import mattes_of
from stream_dream.media.read.sequence import is_sequence, possible_files
from stream_dream.media.read.standard_input import STANDARD_INPUT
from stream_dream.media.write.formats import (
    FORMATS,
    NUMBERED,
    STANDARD_OUTPUT,
    Encoding,
    encoding_of,
)
from stream_dream.settings.output import OutputSettings

FILM_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".m2v", ".vob"),
    *(".ts", ".m2ts", ".mts", ".mxf", ".wmv", ".asf", ".flv", ".f4v", ".ogv", ".3gp", ".3g2"),
    *(".dv", ".y4m", ".divx", ".gif", ".apng"),
)
"""Lower-case extensions of the films in a folder."""

TARGET_SUFFIXES = tuple(suffix for suffix in FORMATS if suffix not in NUMBERED)
"""Extensions of the films that a queue writes."""


class QueuedFilm(NamedTuple):
    """One film to dream."""

    source: Path
    target: Path


def is_queue(inputs: Sequence[Path], output: Path) -> bool:
    """Return whether inputs are dreamed into a folder, each under its own name.

    So are several, a folder of films, and whatever goes to a folder: one that exists, or a name
    without extension. A folder that holds pictures goes to the file that is named, as one film.
    """
    if len(inputs) > 1:
        return True
    (source,) = inputs
    if source == STANDARD_INPUT or output == STANDARD_OUTPUT:
        return False
    if os.path.isdir(output) or not output.suffix:
        return True
    return bool(films_in(source)) and not possible_files(source)


def list_films(
    inputs: Sequence[Path], output: Path, settings: OutputSettings, suffix: str | None = None
) -> list[QueuedFilm]:
    """Return source and target of each film.

    Args:
        inputs: Films, folders of films and sequences of pictures.
        output: The folder of the dreams.
        settings: Codec and bits of the dreams, which some formats do not hold.
        suffix: Extension of all dreams; None for those of their sources, as far as possible.

    Raises:
        SourceError: A film does not exist, a folder has none, or two would have one target.
        SinkError: ``output`` is a file, a target is one of the inputs, or no format holds what the
            settings ask for.
        SettingsError: Standard input or output is among them.
    """
    check_output_folder(inputs, output)
    films = {
        os.path.abspath(source): QueuedFilm(source, target_of(source, output, settings, suffix))
        for given in inputs
        for source in _films_of(given)
    }
    for source, _ in films.values():
        if not os.path.lexists(source) and not is_sequence(source):
            raise SourceError(f"{source} does not exist: check the name")
    sources = {*map(os.path.realpath, films)}
    owners: dict[Path, QueuedFilm] = {}
    for film in films.values():
        for written in (film.target, *mattes_of(film.target, settings).values()):
            owner = owners.setdefault(written, film)
            if owner is not film:
                raise SourceError(
                    f"{owner.source} and {film.source} would both become {written}: dream them "
                    "into two folders"
                )
            if os.path.realpath(written) in sources:
                problem = "is one of the inputs, and dreams have their names: choose another folder"
                raise SinkError(f"{written} {problem}", exit_code=2)
    return list(films.values())


def check_output_folder(inputs: Sequence[Path], output: Path) -> None:
    """Refuse an output that is a file, or standard input among several films.

    Raises:
        SettingsError, SinkError: With one clear line, and ``exit_code`` 2.
    """
    if STANDARD_INPUT in inputs or output == STANDARD_OUTPUT:
        raise SettingsError("- is one film, read or written once: leave out the other ones")
    if output.suffix.lower() in FORMATS and not os.path.isdir(output):
        raise SinkError(f"several films cannot become {output}: give a folder", exit_code=2)
    if os.path.lexists(output) and not os.path.isdir(output):
        raise SinkError(f"{output} is a file: give a folder for the dreams", exit_code=2)


def films_in(folder: Path) -> list[Path]:
    """Return the films of a folder by their names, in order, without hidden ones.

    An empty list if it is no folder. Raises ``SourceError`` if it cannot be read.
    """
    return [path for path in _seen(folder) if path.suffix.lower() in FILM_SUFFIXES]


def other_files(given: Path) -> list[Path]:
    """Return the files of a folder of films that are none, without hidden ones."""
    if not films_in(given):
        return []  # a sequence of pictures says itself what it leaves out
    return [path for path in _seen(given) if path.suffix.lower() not in FILM_SUFFIXES]


def target_of(
    source: Path, folder: Path, settings: OutputSettings, suffix: str | None = None
) -> Path:
    """Return where the dream of a film is written; for the arguments see ``list_films``.

    Raises ``SinkError`` if no format holds what the settings ask for.
    """
    stem = (source if os.path.isdir(source) else source.parent).resolve().name or "film"
    if not is_sequence(source):
        stem = source.stem
    target = folder / f"{stem}{suffix or _suffix_for(source, settings)}"
    _encoding(target, settings)  # or refused before anything is done
    return target


def _suffix_for(source: Path, settings: OutputSettings) -> str:
    """Return the source's extension or, where it cannot hold the dream, the first one that can."""
    own = source.suffix.lower()
    usual = own if own in TARGET_SUFFIXES and not is_sequence(source) else ".mp4"
    for suffix in (usual, *TARGET_SUFFIXES):
        with suppress(SinkError):
            _encoding(Path(f"film{suffix}"), settings)
            return suffix
    holding = (name for name in TARGET_SUFFIXES if settings.codec in FORMATS[name].codecs)
    return next(holding, usual)  # its refusal says what does not fit


def _encoding(target: Path, settings: OutputSettings) -> Encoding:
    return encoding_of(target, settings.codec, settings.bits, alpha=settings.dream_only)


def _films_of(given: Path) -> list[Path]:
    if _fits_films(given):
        fitting = [path for path in films_in(given.parent) if path.match(given.name)]
        if not fitting:
            raise SourceError(f"no film fits {given}: check the name")
        return fitting
    if not os.path.isdir(given):
        return [given]
    found = films_in(given)
    if not found and not possible_files(given):
        raise SourceError(f"{given} holds no films and no pictures: check the name")
    return found or [given]


def _fits_films(given: Path) -> bool:
    """Return whether a name is a wildcard of films, which no shell has filled in."""
    wild = any(sign in given.name for sign in "*?[")
    return wild and given.suffix.lower() in FILM_SUFFIXES and not os.path.lexists(given)


def _seen(folder: Path) -> list[Path]:
    """Return a folder's files in order, without hidden ones such as a Mac's ``._a.mp4``."""
    if not os.path.isdir(folder):
        return []
    try:
        listed = sorted(folder.iterdir())
    except OSError as error:
        raise SourceError(f"{folder} cannot be read: {error.strerror}") from error
    return [path for path in listed if not path.name.startswith(".") and not path.is_dir()]
