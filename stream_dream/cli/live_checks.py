"""Checks of a show's options before it starts."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stream_dream.errors import SinkError
from stream_dream.live.control.show_state import BESIDE_A_SOURCE, OF_A_LOOK, STEERING
from stream_dream.live.show_file import KeptConfig
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.fields import named_files
from stream_dream.settings.live import LiveSettings, parameter_range

log = logging.getLogger("stream_dream.live")


def tell_what_is_idle(given: Mapping[str, Any], settings: LiveSettings) -> None:
    """Warn of options that do nothing without another, which a config may carry along."""
    source = settings.source
    folder = os.path.isdir(source), "a folder as --source"
    camera = source.isdecimal() or source.startswith("/dev/"), "a camera as --source"
    needs = {
        "fullscreen": (settings.window, "--window"),
        "screen": (settings.window, "--window"),
        "token": (settings.web, "--web"),
        "osc_host": (settings.osc, "--osc"),
        "mask_softness": (settings.mask, "--mask"),
        "every": (settings.cycle, "--cycle"),
        "shuffle": folder,
        "source_fade": folder,
        "capture_size": camera,
        "capture_fps": camera,
        **dict.fromkeys(STEERING, (settings.journey, "--journey")),
    }
    for name, (there, needed) in needs.items():
        if given.get(name) and not there:
            log.warning("--%s does nothing without %s", name.replace("_", "-"), needed)
    for name in (*BESIDE_A_SOURCE, "mask", "cuts") if settings.journey else ():
        if name in given:
            log.warning("--%s does nothing in a journey", name.replace("_", "-"))


def tell_what_is_cut(given: Mapping[str, Any], dream: DreamSettings) -> None:
    """Warn of parameters of a look that are larger than a show allows."""
    for name in OF_A_LOOK:
        most = parameter_range(name)[1]
        if name in given and getattr(dream, name) > most:
            log.warning("--%s is cut to %g, the most in a show", name.replace("_", "-"), most)


def check_outputs(
    given: Mapping[str, Any],
    settings: LiveSettings,
    dreams: Mapping[str, DreamSettings],
    kept: KeptConfig | None,
    read: Sequence[Path],
) -> None:
    """Reject outputs that could not be written in the end. Raises ``StreamDreamError``."""
    from stream_dream.live.output.recorder import check_recording

    if settings.recordings.exists() and not settings.recordings.is_dir():
        raise SinkError(f"--recordings: {settings.recordings} is no folder", exit_code=2)
    if settings.record is not None:
        check_recording(settings.record)
    if kept is None:
        return
    named = [path for dream in dreams.values() for path in named_files(dream).values()]
    inputs = [Path(settings.source), *named, *read]
    outputs = [] if settings.record is None else [settings.record]
    kept.check(given, inputs=inputs, outputs=outputs)
