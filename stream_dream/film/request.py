"""The request to render a film: files and settings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from stream_dream.automation.assemble import Parsed
from stream_dream.automation.program import varying_of
from stream_dream.errors import SinkError
from stream_dream.film.journey_source import NOISE, JourneySource, open_journey
from stream_dream.frame import MatteKind
from stream_dream.media.read.picture import READABLE_PICTURES
from stream_dream.media.read.standard_input import STANDARD_INPUT
from stream_dream.media.read.video import VideoSource, excerpt_of
from stream_dream.media.write.formats import STANDARD_OUTPUT, encoding_of
from stream_dream.media.write.output_paths import (
    check_standard_output,
    check_target,
    matte_name,
)
from stream_dream.settings.automation import Automation
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.fields import named_files, with_paths
from stream_dream.settings.film import FilmSettings
from stream_dream.settings.journey import JourneySettings
from stream_dream.settings.output import OutputSettings

# Settings of outputs that need the source beside the dream, or another size than its own.
_OF_SOURCE = ("compare", "dream_only", "matte", "mask", "size", "start", "end", "raw")


def mattes_of(target: Path, output: OutputSettings) -> dict[MatteKind, Path]:
    """Return the files of a render's mattes: of the mask, if it has one, and the visibility."""
    if not output.matte:
        return {}
    kinds: tuple[MatteKind, ...] = ("mask", "visibility")
    return {
        kind: matte_name(target, kind)
        for kind in kinds
        if kind != "mask" or output.mask is not None
    }


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
        journey: Settings of a journey, whose source is a picture, a clip or ``NOISE``; None for a
            film.
    """

    source: Path
    target: Path
    dream: DreamSettings
    output: OutputSettings
    film: FilmSettings = field(default_factory=FilmSettings)
    automation: Automation = field(default_factory=Automation)
    journey: JourneySettings | None = None

    @property
    def inputs(self) -> dict[str, Path]:
        """Files to read: the source, and those named in settings, by the setting's name."""
        journeys = () if self.journey is None else (self.journey,)
        named = named_files(self.dream, self.output, self.automation, *journeys)
        read = {} if self.source == NOISE and journeys else {"source": self.source}
        return read | named | self.automation.more_files

    @property
    def finds_cuts(self) -> bool:
        """True if cuts of the source begin shots."""
        return self.dream.cuts and self.journey is None

    def open_source(self) -> VideoSource | JourneySource:
        """Open the part of the source that is rendered, as deep as the result is.

        Raises:
            SourceError: It cannot be read.
            SinkError: The result's format or codec does not have what the settings ask for.
            SettingsError: A journey cannot have that size, or that start.
        """
        output = self.output
        if self.journey is not None:
            size = self.dream.dream_size
            return open_journey(self.source, self.journey, seed=self.dream.seed, dream_size=size)
        wanted = encoding_of(
            self.target, output.codec, output.bits, source_bits=16, alpha=output.dream_only
        )
        hdr = wanted.can_be_hdr and not output.sdr
        return excerpt_of(
            self.source, output, fps=output.fps, raw=output.raw, deep=wanted.deep, hdr=hdr
        )

    @property
    def outputs(self) -> tuple[Path, ...]:
        """Files to write: the target and its mattes."""
        return self.target, *mattes_of(self.target, self.output).values()

    @property
    def is_piped(self) -> bool:
        """True if it reads standard input or writes standard output: once, from start to end."""
        return self.source == STANDARD_INPUT or self.target == STANDARD_OUTPUT

    def check_outputs(
        self, *, overwrite: bool, inputs: Iterable[Path] = (), others: Iterable[Path] = ()
    ) -> None:
        """Refuse a target, or mattes, that cannot be written.

        Args:
            overwrite: True if existing files may be replaced.
            inputs: Files that are read beside those of the request.
            others: Files that are written beside those of the request.

        Raises:
            SinkError: With ``exit_code`` 2.
        """
        of_source = [name for name in _OF_SOURCE if getattr(self.output, name)]
        if self.journey is not None and of_source:
            option = f"--{of_source[0].replace('_', '-')}"
            problem = f"a journey has no source beside its dream: leave out {option}"
            raise SinkError(problem, exit_code=2)
        if self.output.dream_only and self.output.compare:
            problem = "--dream-only writes no source to show beside the dream: leave out --compare"
            raise SinkError(problem, exit_code=2)
        if self.output.matte and self.output.compare:
            problem = "mattes are as large as the dream alone: leave out --matte or --compare"
            raise SinkError(problem, exit_code=2)
        if self.target == STANDARD_OUTPUT:
            check_standard_output()
            if self.output.matte:
                problem = "standard output takes no mattes: leave out --matte, or name a file"
                raise SinkError(problem, exit_code=2)
            return
        read, files = [*self.inputs.values(), *inputs], self.outputs
        for file in files:
            written = [*others, *(other for other in files if other != file)]
            check_target(file, overwrite=overwrite, inputs=read, outputs=written)

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
        journey = self.journey and with_paths(self.journey, paths)
        return replace(
            self, dream=dream, output=output, film=film, automation=automation, journey=journey
        )

    def _varies(self) -> bool:
        """Return whether settings change that are variables of the network."""
        return bool(varying_of(Parsed.of(self.automation).changing))
