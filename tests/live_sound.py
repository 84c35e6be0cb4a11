"""Sound that a show hears, without a card."""

from __future__ import annotations

from dataclasses import dataclass, field

NAMES = ("level", "bass", "mid", "high", "onset", "kick", "centroid", "beat", "bar")


@dataclass
class FakeSound:
    """What a listener would tell."""

    state: str = "ok"
    tempo: float | None = None
    number: float | None = None
    values: dict[str, float] = field(default_factory=dict)

    def curves(self) -> dict[str, float]:
        """Return the value of each curve, 0..1."""
        return dict.fromkeys(NAMES, 0.0) | self.values

    def beats(self) -> float | None:
        """Return the number of beats so far."""
        return self.number
