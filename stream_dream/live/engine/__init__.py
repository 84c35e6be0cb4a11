"""The show itself: its clock, its size, its looks."""
