"""Shows looks their guides, frame by frame."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from stream_dream.frame import Image8

if TYPE_CHECKING:
    from stream_dream.dream.build import Guide


class LookGuides:
    """Shows each frame's look its guide, and no other look: it may not be built.

    A look that was built again sees its guide again.
    """

    def __init__(
        self, guide_of: Callable[[int], Guide | None], guides: Sequence[Iterator[Image8]]
    ) -> None:
        """Store where the guides of looks are, and for each look its guide images.

        These are one per frame, one for all, or none.
        """
        self._guide_of, self._guides = guide_of, guides
        self._images: dict[int, Image8] = {}
        # Weakly, or the networks of looks that are dropped would stay.
        self._shown: dict[int, tuple[weakref.ref[Guide], Image8]] = {}

    def show(self, look: int) -> None:
        """Go on to the next frame, which has this look."""
        for number, images in enumerate(self._guides):
            image = next(images, None)
            if image is not None:
                self._images[number] = image
        if look not in self._images:
            return
        guide, image = self._guide_of(look), self._images[look]
        if guide is None:
            return
        before = self._shown.get(look)
        if before is None or before[0]() is not guide or before[1] is not image:
            guide.show(image)
            self._shown[look] = weakref.ref(guide), image
