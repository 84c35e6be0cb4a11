"""Settings of long renders."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from stream_dream.settings.fields import Heading, under
from stream_dream.settings.output import FPS, MASK_STRENGTH, STRENGTH, Excerpt
from stream_dream.settings.values import Model, Rate

WorkerCount = Annotated[int, Field(ge=1, le=1024)] | Literal["auto"]

Batch = Annotated[int, Field(ge=1, le=64)] | Literal["auto"]

BATCH_OF_GPU = 4
"""Default number of shots that a GPU dreams in one call."""

_film = under(Heading.FILM)

CHUNK_SECONDS = _film(10.0, "Longest piece of a film that is done at a time.", ge=0.04, le=3600)
KEEP_CHUNKS = _film(False, "Keep the folder of the finished pieces.")


class PlanSettings(Excerpt):
    """Settings of a plan."""

    fps: Rate | None = FPS
    strength: float = STRENGTH
    mask_strength: float = MASK_STRENGTH
    chunk_seconds: float = CHUNK_SECONDS
    estimate: bool = _film(True, "Dream a few frames to tell how long it would take.")
    check: bool = _film(False, "Only check film, settings and what changes over time.")


class ChunkSettings(Model):
    """How a long film is split into chunks."""

    chunk_seconds: float = CHUNK_SECONDS
    keep_chunks: bool = KEEP_CHUNKS


class FilmSettings(Model):
    """How a long film is split into chunks, and which workers dream them."""

    chunk_seconds: float = CHUNK_SECONDS
    workers: WorkerCount = _film(
        1,
        "Processes that dream different shots side by side; auto finds out how many are fastest.",
        metavar="NUMBER|auto",
    )
    batch: Batch = _film(
        "auto",
        "Shots that each worker dreams in one call, for devices that one frame does not fill; auto "
        f"is {BATCH_OF_GPU} on a GPU, else 1.",
        metavar="NUMBER|auto",
    )
    cluster: str | None = _film(
        None,
        "Ray cluster that dreams the shots: its address, or local.",
        metavar="ADDRESS|local",
    )
    ship: bool = _film(False, "Send the source to a cluster that shares no disk.")
    keep_chunks: bool = KEEP_CHUNKS

    @property
    def asks_for_chunks(self) -> bool:
        """True if a setting needs a render in chunks, however short the film is."""
        batched = self.batch not in (1, "auto")
        spread = self.workers != 1 or self.cluster is not None or self.ship
        return spread or batched or self.keep_chunks

    @property
    def wanted_workers(self) -> int | None:
        """Number of workers that was given; None if a cluster may decide."""
        given = "workers" in self.model_fields_set
        return self.workers if given and self.workers != "auto" else None

    def batch_on(self, gpus: float) -> int:
        """Return how many shots a worker with ``gpus`` GPUs (or a fraction) dreams at once."""
        if self.batch != "auto":
            return self.batch
        return max(1, round(BATCH_OF_GPU * min(gpus, 1)))
