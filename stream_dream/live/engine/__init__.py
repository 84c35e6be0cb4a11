"""The show: main loop, frame pacing, governor, looks."""
