"""Seamless loops of pictures and clips."""
