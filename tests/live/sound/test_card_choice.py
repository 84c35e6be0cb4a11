"""Which sound card is meant."""

from __future__ import annotations

import sys

import pytest

from stream_dream.errors import SettingsError
from stream_dream.live.sound.card_choice import CardInfo, choose, listing

SPEAKER = CardInfo("out.monitor", "Monitor of Built-in Audio", loopback=True, default=True)
SCREEN = CardInfo("hdmi.monitor", "Monitor of HDMI", loopback=True, default=False)
MIC = CardInfo("in", "Built-in Audio", loopback=False, default=True)
DESK = CardInfo(7, "Scarlett 2i2 USB", loopback=False, default=False)
CARDS = (DESK, MIC, SCREEN, SPEAKER)


@pytest.mark.parametrize(
    ("wanted", "card"),
    [
        ("playing", SPEAKER),
        ("Mic", MIC),
        (" hdmi ", SCREEN),
        ("scarlett", DESK),
        ("usb 2i2", DESK),
        ("7", DESK),
        ("out.monitor", SPEAKER),
        ("built-in audio", MIC),  # a whole name, though it is a part of another one
    ],
)
def test_a_card_is_meant_by_a_word_or_a_part_of_its_name(wanted: str, card: CardInfo) -> None:
    assert choose(wanted, CARDS) is card


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("monitor", "--listen monitor: 2 sound cards fit: 'Monitor of HDMI' (hdmi.monitor), "),
        ("scarlott", "there is no such sound card: did you mean 'Scarlett 2i2 USB'?"),
        ("turntable", "give one of 'Scarlett 2i2 USB', 'Built-in Audio', 'Monitor of HDMI', "),
        ("", "there is no such sound card"),
    ],
)
def test_an_error_names_the_cards_at_hand(wanted: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        choose(wanted, CARDS)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_loopback_is_no_microphone() -> None:
    with pytest.raises(SettingsError, match="no microphone: give one of 'Monitor of HDMI'"):
        choose("mic", [SCREEN])
    with pytest.raises(SettingsError, match="this machine has none; connect one"):
        choose("mic", [])


def test_what_is_playing_needs_a_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(SettingsError, match="there is no speaker to listen to"):
        choose("playing", [MIC])
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(SettingsError, match="BlackHole"):
        choose("playing", [MIC])
    assert choose("playing", [SCREEN]) is SCREEN  # none is the default


def test_the_list_begins_with_what_is_playing() -> None:
    assert [line.split()[0] for line in listing(CARDS)] == ["playing", "what", "mic", "microphone"]
    assert "no sound card" in listing([])[0]
