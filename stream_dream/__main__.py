"""Runs the command line: ``python -m stream_dream``."""

import os
import signal
import sys

from stream_dream.runtime.standard_streams import secure_streams

# Until the command line is loaded, Ctrl-C ends the process without a traceback: nothing has begun
# that could be lost.
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
# Nor has a show failed that its service manager stops then.
if sys.argv[1:2] == ["live"] and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
secure_streams()

from stream_dream.cli.app import main  # noqa: E402

if __name__ == "__main__":
    main()
