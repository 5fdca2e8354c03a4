"""Put the frames of an episode side by side, with what is to be read about them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mbpo.errors import printable

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

Frame = NDArray[np.uint8]  # [H, W, 3]
LEAST_WIDTH = 400  # of a panel: its text needs it
LINE, EDGE = 26, 6  # px
INK, PAPER, ALARM = (25, 25, 25), (250, 250, 250), (190, 20, 30)


@dataclass(frozen=True)
class Panel:
    """Hold a picture and the two lines above it."""

    frame: Frame
    title: str
    figures: str
    alarm: bool = False  # whether it has parted from what is real


def side_by_side(panels: list[Panel], foot: str, foot_alarm: bool = False) -> Frame:
    """Return the panels in a row of even size, ``foot`` below them."""
    from PIL import Image, ImageDraw

    pictures = [_enlarged(Image.fromarray(panel.frame)) for panel in panels]
    width = sum(picture.width + 2 * EDGE for picture in pictures)
    height = 2 * LINE + max(picture.height for picture in pictures) + 2 * EDGE + LINE
    canvas = Image.new("RGB", (width + width % 2, height + height % 2), PAPER)
    draw, left = ImageDraw.Draw(canvas), 0
    for panel, picture in zip(panels, pictures, strict=True):
        ink = ALARM if panel.alarm else INK
        room = picture.width
        _write(draw, (left + EDGE, 2), panel.title, ink, room)
        _write(draw, (left + EDGE, 2 + LINE), panel.figures, ink, room)
        if panel.alarm:
            top = 2 * LINE
            draw.rectangle((left, top, left + picture.width + 2 * EDGE - 1, top + picture.height + 2 * EDGE - 1), ALARM)
        canvas.paste(picture, (left + EDGE, 2 * LINE + EDGE))
        left += picture.width + 2 * EDGE
    _write(draw, (EDGE, height - LINE), foot, ALARM if foot_alarm else INK, width - 2 * EDGE)
    return np.asarray(canvas)


def _enlarged(picture: Image.Image) -> Image.Image:
    """Return ``picture`` in so many times its size that its text fits, each pixel a square."""
    times = -(-LEAST_WIDTH // picture.width)
    return picture if times == 1 else picture.resize((picture.width * times, picture.height * times), 0)


def _write(draw: ImageDraw.ImageDraw, at: tuple[int, int], text: str, ink: tuple[int, int, int], room: int) -> None:
    """Write as much of ``text`` as fits into ``room`` px, in the largest of three sizes."""
    text = printable(text)
    for size in (18, 15, 12):
        if draw.textlength(text, font=_font(size)) <= room:
            break
    while text and draw.textlength(text, font=_font(size)) > room:
        text = text[:-2].rstrip("…") + "…" if len(text) > 2 else ""
    draw.text(at, text, fill=ink, font=_font(size))


@lru_cache
def _font(size: int) -> Any:
    """Return the font that matplotlib brings, which has the field's letters."""
    import matplotlib
    from PIL import ImageFont

    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"), size)
