"""Reads pictures, and video with two decoders behind one interface."""
