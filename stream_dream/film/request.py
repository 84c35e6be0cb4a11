"""What is asked of the render of a film."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from stream_dream.media.read.picture import READABLE_PICTURES
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.fields import named_files
from stream_dream.settings.film import FilmSettings
from stream_dream.settings.output import OutputSettings

_S = TypeVar("_S", DreamSettings, OutputSettings)


@dataclass(frozen=True, slots=True)
class RenderRequest:
    """A film, and what is to become of it.

    Attributes:
        source: A video file.
        target: The name of the result; its extension decides on the format.
        dream: How to dream.
        output: What to render and how to write it.
        film: How to cut it into pieces, and who dreams them.
    """

    source: Path
    target: Path
    dream: DreamSettings
    output: OutputSettings
    film: FilmSettings

    @property
    def inputs(self) -> dict[str, Path]:
        """All files that are read: the source, and those that settings name, by setting."""
        return {"source": self.source} | named_files(self.dream, self.output)

    def for_workers(self) -> RenderRequest:
        """Return it as workers and later runs need it, who may be in another folder.

        Where each frame has a guide of its own no batch is dreamed.
        """
        guide, film = self.dream.guide, self.film
        if guide is not None and guide.suffix.lower() not in READABLE_PICTURES:
            film = film.model_copy(update={"batch": 1})
        dream, output = _absolute(self.dream), _absolute(self.output)
        return replace(self, dream=dream, output=output, film=film)


def _absolute(settings: _S) -> _S:
    """Make the paths in settings absolute."""
    paths: dict[str, object] = {
        name: str(path.absolute()) if name == "network" else path.absolute()
        for name, path in named_files(settings).items()
    }
    return settings.model_copy(update=paths)
