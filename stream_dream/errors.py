"""The exceptions of stream_dream.

Every message says what was given, what was expected and what to do about it, in one line: the
command line prints it as it is and exits with ``exit_code``.
"""


class StreamDreamError(Exception):
    """Base of everything that stream_dream raises on purpose."""

    exit_code = 1


class SettingsError(StreamDreamError, ValueError):
    """A setting, preset or option that cannot be used."""

    exit_code = 2


class NetworkError(StreamDreamError, ValueError):
    """An unknown network or layer, or weights that do not fit."""

    exit_code = 2


class DownloadError(NetworkError):
    """Weights that cannot be fetched now."""

    exit_code = 1


class SourceError(StreamDreamError):
    """A source that cannot be opened or read."""

    exit_code = 2


class SinkError(StreamDreamError):
    """A target that cannot be written.

    ``exit_code`` is 2 where the target was refused before any work was done, else 1.
    """

    def __init__(self, message: str, *, exit_code: int = 1) -> None:
        """Store the one-line message and the exit code of the command."""
        super().__init__(message)
        self.exit_code = exit_code


class DiskFull(SinkError):
    """A full disk or quota: trying again is of no use."""


class ConversionError(SinkError):
    """A conversion that ffmpeg cannot do; with other arguments it may."""


class Interrupted(StreamDreamError):
    """The user stopped a render; the message says what was kept, and where."""

    exit_code = 130


def first_line(error: BaseException) -> str:
    """Return the first line of a library's exception, for a message of one line."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
