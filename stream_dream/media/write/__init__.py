"""Writes files: pictures, video and sound."""
