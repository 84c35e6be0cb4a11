"""Settings that change: with the clock, with the shots and with music."""
