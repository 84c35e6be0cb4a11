"""Reads video files: two decoders behind one interface."""
