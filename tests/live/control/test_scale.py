"""Curved scales and oscillators."""

from __future__ import annotations

import pytest

from stream_dream.live.control.oscillator import oscillated, wave
from stream_dream.live.control.scale import share_of, value_at
from stream_dream.live.control.show_state import MODULATED
from stream_dream.settings.live import LiveParameters, parameter_range
from stream_dream.settings.scenes import Lfo

NUMBERS = [
    name for name, field in LiveParameters.model_fields.items() if field.annotation in (int, float)
]


@pytest.mark.parametrize("name", NUMBERS)
def test_a_slider_reaches_all_values_in_order(name: str) -> None:
    low, high = parameter_range(name)
    values = [value_at(name, step / 200) for step in range(201)]
    assert values == sorted(values)
    assert (values[0], values[-1]) == (low, high)
    if LiveParameters.model_fields[name].annotation is int:
        assert set(values) == set(range(round(low), round(high) + 1))


@pytest.mark.parametrize("name", NUMBERS)
def test_place_and_value_are_inverse(name: str) -> None:
    for step in range(11):
        value = value_at(name, step / 10)
        assert value_at(name, share_of(name, value)) == pytest.approx(value, rel=1e-9)
    assert value_at(name, share_of(name, 1e9)) == parameter_range(name)[1]


@pytest.mark.parametrize("name", ["step_size", "persistence", "jitter", "target_fps", "glide"])
def test_useful_values_have_most_of_the_slider(name: str) -> None:
    default = LiveParameters.model_fields[name].default
    assert 0.3 < share_of(name, default) < 0.7


@pytest.mark.parametrize("shape", ["sine", "triangle", "rise", "fall", "square", "random"])
def test_waves_repeat_within_their_range(shape: str) -> None:
    values = [wave(shape, step / 100) for step in range(100)]
    assert -1 <= min(values) <= max(values) <= 1
    if shape != "random":
        assert [wave(shape, 3 + step / 100) for step in range(100)] == pytest.approx(values)
        assert max(values) - min(values) > 1.9
        assert abs(sum(values)) < 2
    assert wave("random", 4.2) == wave("random", 4.9) != wave("random", 5.1)


@pytest.mark.parametrize("name", MODULATED)
def test_an_oscillator_stays_within_the_range(name: str) -> None:
    low, high = parameter_range(name)
    default = LiveParameters.model_fields[name].default
    values = [oscillated(name, default, Lfo(depth=1), step / 50) for step in range(50)]
    assert low <= min(values) < max(values) <= high
    assert oscillated(name, default, Lfo(depth=0), 0.3) == pytest.approx(default)
