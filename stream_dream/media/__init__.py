"""Reading and writing of files with OpenCV, ffmpeg and Pillow."""
