"""The request to render a film: files and settings."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from stream_dream.automation.assemble import Parsed
from stream_dream.automation.program import varying_of
from stream_dream.media.read.picture import READABLE_PICTURES
from stream_dream.media.read.standard_input import STANDARD_INPUT
from stream_dream.media.read.video import VideoSource, excerpt_of
from stream_dream.media.write.formats import STANDARD_OUTPUT, encoding_of
from stream_dream.media.write.output_paths import check_standard_output, check_target
from stream_dream.settings.automation import Automation
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.fields import named_files, with_paths
from stream_dream.settings.film import FilmSettings
from stream_dream.settings.output import OutputSettings


@dataclass(frozen=True, slots=True)
class RenderRequest:
    """A film and the settings to render it with.

    Attributes:
        source: A video file.
        target: Path of the result; its extension selects the format.
        dream: Settings of the dream.
        output: What to render and how to write it.
        film: Length of chunks, and which workers dream them.
        automation: What changes over time.
    """

    source: Path
    target: Path
    dream: DreamSettings
    output: OutputSettings
    film: FilmSettings = field(default_factory=FilmSettings)
    automation: Automation = field(default_factory=Automation)

    @property
    def inputs(self) -> dict[str, Path]:
        """Files to read: the source, and those named in settings, by the setting's name."""
        named = named_files(self.dream, self.output, self.automation)
        return {"source": self.source} | named | self.automation.more_files

    def open_source(self) -> VideoSource:
        """Open the part of the source that is rendered, as deep as the result is.

        Raises:
            SourceError: It cannot be read.
            SinkError: The result's format or codec does not have what the settings ask for.
        """
        wanted = encoding_of(self.target, self.output.codec, self.output.bits, source_bits=16)
        hdr = wanted.can_be_hdr and not self.output.sdr
        output = self.output
        return excerpt_of(
            self.source, output, fps=output.fps, raw=output.raw, deep=wanted.deep, hdr=hdr
        )

    @property
    def is_piped(self) -> bool:
        """True if it reads standard input or writes standard output: once, from start to end."""
        return self.source == STANDARD_INPUT or self.target == STANDARD_OUTPUT

    def check_target(self, *, overwrite: bool) -> None:
        """Refuse a target that cannot be written. Raises ``SinkError`` with ``exit_code`` 2."""
        if self.target == STANDARD_OUTPUT:
            check_standard_output()
        else:
            check_target(self.target, overwrite=overwrite, inputs=self.inputs.values())

    def for_workers(self) -> RenderRequest:
        """Return the request with absolute paths, for workers and later runs in other folders.

        With a guide video, several looks, or colours, evenness or weights that change, the batch is
        1, as all members of a batch share one network, its variables and one guide.
        """
        guide, film = self.dream.guide, self.film
        moving = guide is not None and guide.suffix.lower() not in READABLE_PICTURES
        if moving or len(self.automation.looks) > 1 or self._varies():
            film = film.model_copy(update={"batch": 1})
        paths = {name: path.absolute() for name, path in self.inputs.items()}
        dream, output = with_paths(self.dream, paths), with_paths(self.output, paths)
        automation = self.automation.with_files(paths)
        return replace(self, dream=dream, output=output, film=film, automation=automation)

    def _varies(self) -> bool:
        """Return whether settings change that are variables of the network."""
        return bool(varying_of(Parsed.of(self.automation).changing))
