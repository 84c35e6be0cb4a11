"""Streams a show through ffmpeg, and again whenever the receiver is back."""

from __future__ import annotations

import time
from contextlib import suppress
from fractions import Fraction

import numpy as np

from stream_dream.errors import SinkError, first_line
from stream_dream.frame import Image8
from stream_dream.image import pad
from stream_dream.live.output.reconnecting_view import ReconnectingView
from stream_dream.live.output.stream_target import StreamTarget
from stream_dream.live.status import LiveStatus
from stream_dream.media.ffmpeg import FFmpeg
from stream_dream.media.write.encoder_arguments import raw_arguments, streaming_arguments
from stream_dream.media.write.output_paths import make_folder
from stream_dream.runtime.retry_pauses import RetryPauses
from stream_dream.runtime.scheduling import step_back

_FPS_RANGE = (5, 60)
# A receiver that takes nothing for this long is given up, and tried again after a pause.
_STALLED_SECONDS = 5.0
# Further behind, the stream skips instead of catching up.
_MOST_BEHIND = 0.5
_FINISH_SECONDS = 0.3
# A caller that finds nobody gives up after three seconds (libsrt).
_LISTENING_PAUSE = 0.1


class StreamOutput(ReconnectingView):
    """A view whose thread sends the newest frame at a constant rate.

    A frame that comes late is replaced by a repetition, one too many is left out. Whatever happens
    to the receiver, the show is not held up: only this thread waits for it.
    """

    def __init__(self, target: StreamTarget) -> None:
        """Start the thread; the stream begins with the first frame."""
        self._target = target
        self._newest: tuple[Image8, float] | None = None
        self._ffmpeg: FFmpeg | None = None
        self._fed = 0.0
        listening = RetryPauses(_LISTENING_PAUSE, _LISTENING_PAUSE)
        super().__init__(target.shown, listening if target.listens else None)

    def show(self, image: Image8, status: LiveStatus) -> None:
        """Accept a frame, uint8 RGB (height, width, 3), in place of the one before."""
        self._newest = image, status.target_fps
        ffmpeg = self._ffmpeg
        if ffmpeg is not None and time.monotonic() - self._fed > _STALLED_SECONDS:
            ffmpeg.give_up()

    def close(self) -> None:
        """End the stream; calling it again does nothing."""
        self._closed.set()
        self._thread.join(0.5)
        ffmpeg = self._ffmpeg
        if ffmpeg is not None:  # it waits for its receiver
            ffmpeg.give_up()
        self._thread.join(1.0)

    def transmit(self) -> str | None:
        """Send frames until something fails, and return what; None for another size of picture."""
        newest = self._newest
        if newest is None:
            self._closed.wait(0.05)
            return None
        step_back()
        image, target_fps = newest
        least, most = _FPS_RANGE
        fps = Fraction(min(max(round(target_fps), least), most))
        height, width = pad(image).shape[:2]
        arguments = raw_arguments if self._target.raw else streaming_arguments
        if self._target.folder is not None:  # it may be removed during a show
            make_folder(self._target.folder)
        self._fed = time.monotonic()
        self._ffmpeg = ffmpeg = FFmpeg(
            [*arguments((width, height), fps), *self._target.muxer, "-y", self._target.url],
            fed=True,
        )
        try:
            return self._feed(ffmpeg, image.shape, float(1 / fps))
        except SinkError as error:
            return self._reason(error)
        finally:
            self._ffmpeg = None
            ffmpeg.kill()

    def _feed(self, ffmpeg: FFmpeg, shape: tuple[int, ...], period: float) -> str | None:
        begun = due = time.monotonic()
        data, shown = memoryview(b""), None
        while not self._closed.wait(max(0.0, due - time.monotonic())):
            newest = self._newest
            assert newest is not None
            image = newest[0]
            if image.shape != shape:
                with suppress(SinkError):
                    ffmpeg.finish(_FINISH_SECONDS)  # else HLS forgets a segment in the folder
                return None
            if image is not shown:
                data, shown = np.ascontiguousarray(pad(image)).data.cast("B"), image
            ffmpeg.write(data)
            now = self._fed = time.monotonic()
            due = due + period if now - due < _MOST_BEHIND else now
            self.taken(now - begun)
        ffmpeg.finish(_FINISH_SECONDS)
        return "closed"

    def _reason(self, error: SinkError) -> str:
        """Return why a stream ended, without the address, which may hold a password or a key."""
        if time.monotonic() - self._fed > _STALLED_SECONDS:
            return "nobody calls" if self._target.listens else "the receiver takes nothing"
        text = first_line(error).replace(self._target.url, self.name)
        return text.rpartition(": ")[2]
