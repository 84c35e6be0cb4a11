"""File reading and writing: OpenCV in, ffmpeg out."""
