"""A node for ComfyUI: dreams a batch of images, each on its own or as frames of one clip.

Copy this file to ``ComfyUI/custom_nodes/`` and install stream-dream into ComfyUI's Python.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_dream import Ascent, Frame, StillDreamer, TemporalDreamer, for_stills, load_preset
from stream_dream.settings.presets import preset_names


class StreamDream:
    """Dreams images.

    ComfyUI calls ``dream`` with the inputs that ``INPUT_TYPES`` names.
    """

    CATEGORY = "image/dream"
    FUNCTION = "dream"
    RETURN_TYPES = ("IMAGE",)
    RETURN_NAMES = ("dream",)

    def __init__(self) -> None:
        """Create the node; networks are built when it first dreams."""
        self._still: tuple[object, StillDreamer] | None = None
        self._ascent: tuple[object, Ascent] | None = None

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, dict[str, Any]]:
        """Return the inputs, their ranges and defaults."""
        return {
            "required": {
                "image": ("IMAGE",),
                "look": (preset_names(), {"default": "dogs"}),
                "steps": ("INT", {"default": 0, "min": 0, "max": 200, "tooltip": "0: the look's"}),
                "seed": ("INT", {"default": 0, "min": 0, "max": 2**32 - 1}),
                "as_clip": ("BOOLEAN", {"default": False, "tooltip": "carry the dream on"}),
                "dream_size": ("INT", {"default": 640, "min": 32, "max": 4096, "step": 32}),
            }
        }

    def dream(
        self,
        image: Any,
        look: str = "dogs",
        steps: int = 0,
        seed: int = 0,
        as_clip: bool = False,
        dream_size: int = 640,
    ) -> tuple[Any]:
        """Return the dreams of images.

        Args:
            image: IMAGE of torch or NumPy: float RGB in [0, 1], (batch, height, width, 3); of RGBA
                the alpha channel is left out.
            look: Name of a look, or its .toml file.
            steps: Steps per octave; 0 for those of the look.
            seed: Start of the random numbers.
            as_clip: True if the images are frames of a clip: each carries on the dream before.
            dream_size: Longer side in pixels at which gradients are computed.
        """
        colours = np.asarray(_on_cpu(image))[..., :3]
        if not len(colours):
            return (image,)
        given: dict[str, Any] = {"seed": seed, "dream_size": dream_size}
        if steps:
            given["steps"] = steps
        chosen = load_preset(look).dream
        images = np.rint(np.clip(colours, 0, 1) * 255).astype(np.uint8)
        if as_clip:
            settings = chosen.model_copy(update=given)
            if self._ascent is None or self._ascent[0] != settings:
                self._ascent = settings, Ascent(settings)
            dreamer = TemporalDreamer(self._ascent[1], settings)
            dreams = [
                dreamer(Frame(item, index)).image for index, item in enumerate(_in_turn(images))
            ]
        else:
            settings = for_stills(chosen, given)
            if self._still is None or self._still[0] != settings:
                self._still = settings, StillDreamer(settings)
            dreams = [self._still[1](item, _stop_if_asked) for item in _in_turn(images)]
        return (_like(image, np.float32(1 / 255) * np.stack(dreams)),)


def _in_turn(images: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """Yield images; advance ComfyUI's progress bar after each."""
    comfy = sys.modules.get("comfy.utils")
    bar = None if comfy is None else comfy.ProgressBar(len(images))
    for image in images:
        _stop_if_asked()
        yield image
        if bar is not None:
            bar.update(1)


def _stop_if_asked(*_: object) -> None:
    """Raise what ends ComfyUI's run if its user has cancelled it."""
    comfy = sys.modules.get("comfy.model_management")
    if comfy is not None:
        comfy.throw_exception_if_processing_interrupted()


def _on_cpu(image: Any) -> Any:
    return image.cpu() if hasattr(image, "cpu") else image


def _like(image: Any, dreams: NDArray[np.float32]) -> Any:
    """Return dreams as what the images are: torch, which is never imported here, or NumPy."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(image, torch.Tensor):
        return torch.from_numpy(dreams).to(image.device)
    return dreams


NODE_CLASS_MAPPINGS = {"StreamDream": StreamDream}
NODE_DISPLAY_NAME_MAPPINGS = {"StreamDream": "Dream (stream_dream)"}
