"""Chooses what encodes a render, before its network is built."""

from __future__ import annotations

from pathlib import Path

from stream_dream.errors import SettingsError
from stream_dream.film.frame_loop import render_encoding, written_shape
from stream_dream.frame import StreamInfo
from stream_dream.media.write.encoder_choice import choose_encoder, encoder_problem
from stream_dream.settings.output import OutputSettings

_OVER_RAY = "would have to be in every machine of the cluster"


def with_chosen_encoder(
    target: Path, info: StreamInfo, output: OutputSettings, *, spread: bool = False
) -> tuple[OutputSettings, str | None]:
    """Return the settings with an encoder that works, instead of the one that is wanted.

    Args:
        target: Path of the result.
        info: Properties of the source.
        output: What to render and how to write it.
        spread: True if other machines encode as well.

    Returns:
        The settings, and why they have another encoder than the one that is named, or None.
    """
    wanted = output.encoder
    if wanted != "software" and (spread or output.matte):
        problem = _OVER_RAY if spread else "does not encode mattes beside a film"
        note = None if wanted == "auto" else f"{wanted} {problem}: encoded in software instead"
        return output.model_copy(update={"encoder": "software"}), note
    size, pixel_aspect = written_shape(info, output)
    name, note = choose_encoder(
        wanted,
        render_encoding(target, info, output),
        size=size,
        fps=info.fps,
        pixel_aspect=pixel_aspect,
        crf=output.crf,
    )
    return output.model_copy(update={"encoder": name}), note


def check_encoder_of_chunks(
    target: Path,
    info: StreamInfo,
    output: OutputSettings,
    *,
    spread: bool,
    folder: Path,
) -> None:
    """Check that the encoder with which the chunks in a job's folder were begun still works.

    ``output`` has that encoder; for the other arguments see ``with_chosen_encoder``. Raises
    ``SettingsError`` if it does not work: chunks of two encoders cannot be joined.
    """
    encoder = output.encoder
    if encoder == "software":
        return
    size, pixel_aspect = written_shape(info, output)
    problem: str | None = _OVER_RAY
    if not spread:
        problem = encoder_problem(
            encoder,
            render_encoding(target, info, output),
            size=size,
            fps=info.fps,
            pixel_aspect=pixel_aspect,
            crf=output.crf,
        )
    if problem is not None:
        raise SettingsError(
            f"{folder} was begun with the encoder {encoder}, which {problem}, and chunks of two "
            f"encoders cannot be joined: continue where it works, or delete {folder} to begin anew"
        )
