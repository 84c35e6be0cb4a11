"""Runs the command line: ``python -m stream_dream``."""

import signal

from stream_dream.runtime.standard_streams import secure_streams

# Until the command line is loaded, Ctrl-C ends the process without a traceback: nothing has begun
# that could be lost.
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
secure_streams()

from stream_dream.cli.app import main  # noqa: E402

if __name__ == "__main__":
    main()
