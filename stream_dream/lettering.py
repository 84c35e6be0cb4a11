"""Texts on pictures: the type, and texts that fit a width."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from PIL import ImageFont

    Font: TypeAlias = ImageFont.FreeTypeFont | ImageFont.ImageFont

_FOLLOWING = "\N{HORIZONTAL ELLIPSIS}"


def font_of(size: int) -> Font:
    """Return the type of a size in pixels."""
    from PIL import ImageFont

    return ImageFont.load_default(size)


def wrapped(text: str, width: float, font: Font, *, lines: int) -> list[str]:
    """Wrap a text to a width in pixels; what does not fit on the last of ``lines`` is cut off."""
    found: list[str] = []
    for word in text.split():
        longer = f"{found[-1]} {word}" if found else word
        if found and font.getlength(longer) <= width:
            found[-1] = longer
        else:
            found.append(word)
    if len(found) > lines:
        found[lines - 1 :] = [" ".join(found[lines - 1 :])]
    return [shortened(line, width, font) for line in found]


def shortened(text: str, width: float, font: Font) -> str:
    """Cut a text off at a width in pixels, with an ellipsis."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + _FOLLOWING) > width:
        text = text[:-1]
    return text.rstrip() + _FOLLOWING
