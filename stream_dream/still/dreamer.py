"""Dreams single stills."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from stream_dream.dream.build import assign_weights, build_gradient
from stream_dream.dream.iterative_ascent import IterativeAscent, Step
from stream_dream.dream.octaves import workable_shapes
from stream_dream.dream.tf_threads import use_cores
from stream_dream.frame import Image8
from stream_dream.image import add_residual, fit_size, resize, to_float
from stream_dream.settings.dream import DreamSettings


class StillDreamer:
    """Dreams pictures, each on its own.

    Attributes:
        guide: Guide of the dreams; None if there is none.
    """

    def __init__(self, settings: DreamSettings, *, varying: bool = False) -> None:
        """Build the network up to the deepest layer in use.

        With ``varying``, weights may differ from picture to picture.

        Raises:
            NetworkError: There is no such network, layer, channel or class.
            SettingsError: The settings contradict each other.
        """
        use_cores(share=1)
        self._settings = settings
        self._gradient, self.guide, self._weights = build_gradient(settings, varying=varying)
        self._iterative = IterativeAscent(settings, self._gradient)

    def __call__(
        self,
        image: Image8,
        on_step: Callable[[Step], None] = lambda step: None,
        *,
        settings: DreamSettings | None = None,
        strength: float = 1.0,
    ) -> Image8:
        """Return the dream of a picture, of the same shape.

        Args:
            image: uint8 RGB (height, width, 3) of any size.
            on_step: Called after each step and each finished octave.
            settings: Settings of this picture, of the same network and layers; by default those
                of the dreamer.
            strength: How much of the dream the result shows, 0..2.
        """
        settings = settings or self._settings
        if settings is not self._iterative.settings:
            self._iterative = IterativeAscent(settings, self._gradient)
            if self._weights:
                assign_weights(self._weights, self._settings, settings)
        height, width = image.shape[:2]
        size = fit_size((width, height), settings.dream_size, enlarged=settings.enlarge)
        source = to_float(resize(image, size))
        dream = source
        shapes = workable_shapes(source.shape[:2], settings, self._gradient)
        rng = np.random.default_rng(settings.seed)
        for step in self._iterative(source, shapes, rng, finished=True):
            on_step(step)
            dream = step.image
        return add_residual(image, np.clip(dream, 0, 1) - source, strength=strength)
