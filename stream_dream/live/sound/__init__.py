"""Listening to sound cards while a show runs: curves that follow what is playing."""
