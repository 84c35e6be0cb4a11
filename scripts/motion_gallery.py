#!/usr/bin/env python3
"""Make the README's gallery: the motions of ``stream-dream loop`` side by side, as one GIF.

Needs the ``test`` extra (scikit-image's pictures).

    python scripts/motion_gallery.py .github/motions.gif
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from skimage import data

from stream_dream.image import resize
from stream_dream.loop.keyframes import way_around
from stream_dream.loop.make_loop import make_loop
from stream_dream.media.read.picture import Picture, read_picture
from stream_dream.media.write.picture import write_picture
from stream_dream.media.write.video import VideoSink
from stream_dream.settings.output import LoopSettings
from stream_dream.settings.presets import load_preset
from stream_dream.settings.validation import validated

MOTIONS = ("breathe", "sway", "turn", "zoom", "still")
SIZE = (192, 128)


def main() -> None:
    """Make the GIF."""
    target = Path(sys.argv[1])
    strips = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_picture(Picture(data.coffee()), folder / "coffee.png")
        for motion in MOTIONS:
            settings = validated(LoopSettings, {"motion": motion, "longer_side": 480})
            keyframes = way_around([load_preset("dogs").dream], settings, given={})
            make_loop(folder / "coffee.png", folder / f"{motion}-%03d.png", keyframes, settings)
            frames = sorted(folder.glob(f"{motion}-*.png"))
            # Every second frame: half the size, and still smooth.
            strips.append([resize(read_picture(path).image, SIZE) for path in frames[::2]])
    rate = LoopSettings().fps / 2
    with VideoSink(
        target, size=(SIZE[0] * len(MOTIONS), SIZE[1]), fps=rate, max_bytes=2_500_000
    ) as sink:
        for images in zip(*strips, strict=True):
            sink.write(np.concatenate(images, axis=1))


if __name__ == "__main__":
    main()
