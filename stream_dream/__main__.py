"""Runs the command line: ``python -m stream_dream``."""

from stream_dream.cli import main

if __name__ == "__main__":
    main()
