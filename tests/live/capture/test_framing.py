"""Framing: rotation, crop, size."""

from __future__ import annotations

import numpy as np
import pytest
import synthetic

from stream_dream.live.capture.feed import Origin
from stream_dream.live.capture.framing import Framing
from stream_dream.settings.live import LiveSettings
from stream_dream.settings.validation import validated


def settings(**values: object) -> LiveSettings:
    return validated(LiveSettings, values)


def test_framing_turns_and_crops() -> None:
    image = synthetic.photo((80, 60))
    assert np.array_equal(Framing(settings())(image), image)
    turned = Framing(settings(rotate="90"))(image)
    assert np.array_equal(turned, np.rot90(image, -1))
    cropped = Framing(settings(crop="40x20+10+5"))(image)
    assert np.array_equal(cropped, image[5:25, 10:50])
    middle = Framing(settings(crop="40x20"))(image)
    assert np.array_equal(middle, image[20:40, 20:60])
    beyond = Framing(settings(crop="60x50+70+50"))(image)
    assert np.array_equal(beyond, image[10:, 20:])


def test_framing_keeps_the_size_of_the_first_picture() -> None:
    framing = Framing(settings())
    framing(synthetic.photo((80, 60)))
    assert framing(synthetic.photo((200, 100))).shape == (60, 80, 3)
    assert Framing(settings())(np.zeros((1500, 3000, 3), np.uint8)).shape[1] == 1280
    assert Framing(settings())(np.zeros((1, 1, 3), np.uint8)).shape == (16, 16, 3)
    stretched = Framing(settings(size="64x64"))(synthetic.photo((80, 60)))
    assert stretched.shape == (64, 64, 3)


def test_the_source_has_the_last_word_on_the_size() -> None:
    framing, shapes = Framing(settings()), []
    for size, origin in (
        ((64, 36), Origin.SUBSTITUTE),
        ((30, 50), Origin.GUEST),
        ((60, 60), Origin.GUEST),
        ((64, 36), Origin.SUBSTITUTE),
        ((80, 60), Origin.SOURCE),
        ((30, 50), Origin.GUEST),
        ((90, 50), Origin.SOURCE),
    ):
        shapes.append(framing(synthetic.photo(size), origin).shape[:2])
    assert shapes == [(36, 64), (50, 30), (50, 30), (50, 30), (60, 80), (60, 80), (60, 80)]
    framing = Framing(settings(size="64x64"))
    assert framing(synthetic.photo((30, 50)), Origin.GUEST).shape == (64, 64, 3)


def test_a_crop_beyond_the_picture_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    framing = Framing(settings(crop="60x50+70+50"))
    framing(np.zeros((36, 64, 3), np.uint8), Origin.SUBSTITUTE)
    assert not caplog.records  # the camera's pictures may be larger
    for _ in range(3):
        framing(synthetic.photo((80, 60)))
    told = "--crop reaches beyond the 80x60 picture: it is moved and cut to fit"
    assert caplog.messages == [told]
    for crop in ("80x60", "40x20", "40x20+40+40"):
        Framing(settings(crop=crop))(synthetic.photo((80, 60)))
    assert caplog.messages == [told]
