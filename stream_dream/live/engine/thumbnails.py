"""Thumbnails: what each look makes of the present picture."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from typing import Any, NamedTuple, ParamSpec, TypeVar

from stream_dream.frame import Frame, Image8
from stream_dream.image import resize, to_float
from stream_dream.live.engine.compiled_looks import CompiledLooks
from stream_dream.live.engine.live_dream import lasting
from stream_dream.runtime.scheduling import step_back
from stream_dream.settings.dream import DreamSettings
from stream_dream.temporal.async_dreamer import AsyncDreamer
from stream_dream.temporal.carry import Carry
from stream_dream.temporal.dreamer import DreamFunction, Prepared
from stream_dream.temporal.flow import still
from stream_dream.tone import room_of

log = logging.getLogger("stream_dream.live")

_P = ParamSpec("_P")
_T = TypeVar("_T")

# A dream that is seen as that of its look; more rounds only deepen it.
_ROUNDS = 32
# Longer side of the dream, in pixels: in smaller ones creatures have no room.
_SIZE = 384
# The show comes first: after each ascent this many times its duration is left to it.
_REST = 9.0
# Thumbnails older than this are made anew, while somebody wants them.
_OLD_SECONDS = 120.0
_WANTED_SECONDS = 20.0
_LOOK_SECONDS = 1.0


class Thumbnail(NamedTuple):
    """A thumbnail.

    Attributes:
        revision: Counts the thumbnails of its look, from 1.
        image: uint8 RGB, (height, width, 3).
        made: When it was made, in seconds of the monotonic clock.
    """

    revision: int
    image: Image8
    made: float


class Thumbnails:
    """Dreams the present picture with every look, in a thread, while somebody wants thumbnails.

    It takes a tenth of the time of the cores that ascents run on. Looks that are not traced yet
    get theirs later; one that fails gets none.

    Attributes:
        made: The thumbnails by look; replaced, never modified.
    """

    def __init__(
        self,
        looks: CompiledLooks,
        picture: Callable[[], Image8 | None],
        *,
        changed: Callable[[DreamSettings], DreamSettings] | None = None,
    ) -> None:
        """Start the thread.

        Args:
            looks: The looks of the show.
            picture: Returns the present picture before it is dreamed, uint8 RGB; None before the
                first.
            changed: Returns the settings of a look as a score and sound change them now; None if
                nothing does.
        """
        self.made: Mapping[str, Thumbnail] = {}
        self._looks, self._picture = looks, picture
        self._changed = changed or (lambda dream: dream)
        self._failed: set[str] = set()
        self._wanted_until = 0.0
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._work, name="thumbnails", daemon=True)
        self._thread.start()

    def want(self) -> None:
        """Keep thumbnails up to date for a while."""
        self._wanted_until = time.monotonic() + _WANTED_SECONDS

    def close(self) -> None:
        """End the thread, after its present ascent."""
        self._closed.set()
        self._thread.join(2.0)

    def _work(self) -> None:
        step_back()
        while not self._closed.wait(_LOOK_SECONDS):
            if time.monotonic() > self._wanted_until:
                continue
            picture = self._picture()
            if picture is None:
                continue
            for look in self._due():
                try:
                    if self._make(look, picture):
                        break
                except Exception:  # the show goes on without this one
                    log.exception("there is no thumbnail of look %s", look)
                    self._failed.add(look)

    def _due(self) -> list[str]:
        """Return the looks whose thumbnail is missing or old: the most urgent first."""
        now = time.monotonic()
        ages = {
            look: now - self.made[look].made if look in self.made else math.inf
            for look in self._looks.ready_now
            if look not in self._failed
        }
        due = [look for look, age in ages.items() if age > _OLD_SECONDS]
        return sorted(due, key=lambda look: -ages[look])

    def _make(self, look: str, picture: Image8) -> bool:
        """Make a thumbnail; return False if its look is not traced as it would be dreamed."""
        settings, found = self._looks.settings[look], self._looks.ready_near(look, _SIZE)
        if found is None:
            return False
        shape, ascent = found

        def dream(*given: Any, **named: Any) -> Any:
            begun = time.monotonic()
            # The show's own ascents read the same variables: they must hold what it uses now.
            dreamed = ascent(*given, **{**named, "settings": self._changed(settings)})
            self._closed.wait(_REST * (time.monotonic() - begun))
            return dreamed

        image = thumbnail(dream, settings, resize(picture, shape[::-1]), self._closed.is_set)
        if image is not None:
            before = self.made.get(look)
            revision = 1 if before is None else before.revision + 1
            self.made = {**self.made, look: Thumbnail(revision, image, time.monotonic())}
        return True


def thumbnail(
    dream: DreamFunction,
    settings: DreamSettings,
    image: Image8,
    stopped: Callable[[], bool] = lambda: False,
) -> Image8 | None:
    """Return a small picture as a show dreams it after some seconds; None if it is stopped.

    Args:
        dream: Ascends on a frame.
        settings: Settings of the look, adapted to a show.
        image: The picture, uint8 RGB (height, width, 3), at the size of the ascent.
        stopped: Returns True to give up.
    """
    dreamer = AsyncDreamer(dream, settings, executor=_InTurn())
    source = to_float(image)
    room = room_of(source, settings.limit, grey=settings.keep_colours)
    carry = Carry(still(image.shape[:2]), persistence=1.0)
    frame = Frame(image, 0, 0.0)
    dreamed = None
    for _ in range(_ROUNDS):
        if stopped():
            return None
        prepared = Prepared(frame, image, source, room, carry, 1.0, 0.0)
        dreamed = dreamer(prepared, lasting(settings.persistence))
    return None if dreamed is None else dreamed.compose()


class _InTurn(Executor):
    """Executes what it is given at once, in the calling thread."""

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        future: Future[_T] = Future()
        future.set_result(fn(*args, **kwargs))
        return future
