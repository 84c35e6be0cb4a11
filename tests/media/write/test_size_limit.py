"""How quality is reduced until a file fits."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from stream_dream.errors import SinkError
from stream_dream.media.write.size_limit import Compression, ever_smaller, make_fitting

MUXERS = ("gif", "webp", "apng", "mp4", "webm")


def bytes_of(made: Compression) -> int:
    """Replace the encoder: each reduction makes the file smaller."""
    return int(1e6 * made.scale**2 * math.log2(made.colors) * 2 ** (-made.crf / 6))


def maker(made: list[Compression]) -> Callable[[Compression], int]:
    def make(compression: Compression) -> int:
        made.append(compression)
        return bytes_of(compression)

    return make


@pytest.mark.parametrize("muxer", MUXERS)
def test_each_try_is_smaller_than_the_one_before(muxer: str) -> None:
    tries = [Compression(), *ever_smaller(Compression(), muxer)]
    sizes = [bytes_of(tried) for tried in tries]
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(tries)) == len(tries)
    assert tries[-1].scale < 0.25


@pytest.mark.parametrize("muxer", MUXERS)
@pytest.mark.parametrize("share", [0.9, 0.5, 0.2, 0.06])
def test_the_best_that_fits_is_made_last(muxer: str, share: float) -> None:
    limit, made = int(bytes_of(Compression()) * share), []
    chosen = make_fitting(maker(made), Compression(), muxer, limit)
    assert made[-1] == chosen
    fitting = [t for t in ever_smaller(Compression(), muxer) if bytes_of(t) <= limit]
    assert chosen == fitting[0]
    assert len(made) <= 7


def test_a_file_that_fits_is_encoded_once() -> None:
    made: list[Compression] = []
    asked = Compression(colors=64)
    assert make_fitting(maker(made), asked, "gif", 10**9) == asked
    assert made == [asked]


def test_no_try_exceeds_the_requested_quality() -> None:
    for tried in ever_smaller(Compression(crf=45, colors=16), "gif"):
        assert tried.colors <= 16
    for tried in ever_smaller(Compression(crf=45), "mp4"):
        assert tried.crf >= 45


def test_a_file_that_never_fits_is_an_error() -> None:
    with pytest.raises(SinkError, match="at the least"):
        make_fitting(maker([]), Compression(), "gif", 100)
    with pytest.raises(SinkError, match="250 MB at the least, wanted were 100"):
        make_fitting(lambda _: 250_000_000, Compression(), "mp4", 100_000_000)


def test_films_keep_even_sides() -> None:
    for scale in (0.9, 0.531, 0.01):
        assert all(side % 2 == 0 for side in Compression(scale=scale).size((640, 360), 2))
    assert Compression(scale=0.001).size((640, 360)) == (1, 1)
    assert Compression().size((641, 361), 2) == (641, 361)
