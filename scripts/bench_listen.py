#!/usr/bin/env python3
"""Measure how far the curves of ``--listen`` are behind the sound: clicks through PulseAudio.

Starts a sound server of its own whose speaker plays into nothing (Debian's ``pulseaudio``), and
plays clicks by SoundCard, whose ``latency`` says when each one sounds. Needs the ``test`` extra.

    python scripts/bench_listen.py                # half a minute
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))

import sound_server

from stream_dream.live.sound.card_listener import Listener
from stream_dream.live.sound.sound_cards import SystemCard

RATE = 48_000
BLOCK = 240  # samples played at a time: 5 ms
CURVES = ("onset", "level", "mid", "high", "kick", "bass")

HEADINGS = ("curve", "clicks", "median", "95 %", "most")


class Watcher(threading.Thread):
    """Notes the curves every millisecond."""

    def __init__(self, listener: Listener) -> None:
        """Start to note."""
        super().__init__(daemon=True)
        self._listener = listener
        self._ended = threading.Event()
        self.rows: list[tuple[float, dict[str, float]]] = []

    def run(self) -> None:
        """Note until ``end``."""
        while not self._ended.wait(0.001):
            self.rows.append((time.perf_counter(), self._listener.curves()))

    def end(self) -> None:
        """Stop."""
        self._ended.set()
        self.join()


def play(clicks: int, every: float, seed: int) -> tuple[list[float], float]:
    """Play clicks into the default speaker.

    Returns:
        When each one sounds, by the server, and the mean delay in seconds of the player itself.
    """
    import soundcard

    rng = np.random.default_rng(seed)
    silence = np.zeros((BLOCK, 1), np.float32)
    sound = silence.copy()
    sound[:48, 0], sound[48:96, 0] = 0.5, -0.5
    times, latencies = [], []
    with soundcard.default_speaker().player(RATE, channels=1, blocksize=BLOCK) as player:
        for number in range(clicks):
            blocks = round((every if number else 3) * rng.uniform(0.9, 1.1) * RATE / BLOCK)
            for _ in range(blocks):
                player.play(silence)
            latencies.append(player.latency)
            times.append(time.perf_counter() + latencies[-1])
            player.play(sound)
        for _ in range(RATE // BLOCK):
            player.play(silence)
    return times, statistics.mean(latencies)


def delays(
    times: list[float], rows: list[tuple[float, dict[str, float]]], name: str
) -> list[float]:
    """Return the seconds from each click to the moment at which a curve has risen half-way."""
    found = []
    at = np.array([row[0] for row in rows])
    values = np.array([row[1][name] for row in rows])
    for start in times:
        around = (at > start - 0.01) & (at < start + 0.2)
        before, peak = values[around][0], values[around].max()
        if peak > before + 0.1:
            half = np.argmax(values[around] >= (before + peak) / 2)
            found.append(float(at[around][half]) - start)
    return found


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clicks", type=int, default=40)
    parser.add_argument("--every", type=float, default=0.6, help="seconds between clicks")
    options = parser.parse_args()
    with sound_server.running() as server:
        os.environ.update(server.variables)
        listener = Listener(SystemCard("playing"))
        while listener.state == "waiting":
            time.sleep(0.01)
        watcher = Watcher(listener)
        watcher.start()
        times, latency = play(options.clicks, options.every, seed=0)
        watcher.end()
        # By how much the delays would be longer if the player's own were counted.
        print(json.dumps({"player_ms": round(1000 * latency, 1)}))
        listener.close()
    table = Table(title="milliseconds from a click to a curve's half rise")
    for heading in HEADINGS:
        table.add_column(heading)
    for name in CURVES:
        measured = sorted(1000 * delay for delay in delays(times, watcher.rows, name))
        row: dict[str, Any] = {"curve": name, "clicks": len(measured)}
        if measured:
            row["median"] = round(statistics.median(measured), 1)
            row["95 %"] = round(measured[int(0.95 * (len(measured) - 1))], 1)
            row["most"] = round(measured[-1], 1)
        print(json.dumps(row))
        table.add_row(*(str(row.get(heading, "")) for heading in HEADINGS))
    Console().print(table)


if __name__ == "__main__":
    main()
