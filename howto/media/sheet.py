"""Contact sheets: one picture that shows many moments, each with its time and its words.

Needs OpenCV and numpy. Text is drawn with OpenCV's own Unicode font: no font of the system matters.
It has Latin, Greek, Cyrillic, Hebrew, Arabic (letters unjoined), Chinese and more; a script that it
lacks comes out as question marks.
"""

import os
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from howto.errors import UsageError

__all__ = ["Cell", "contact_sheet", "write_picture"]

Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]  # RGB

_PAGE: Colour = (15, 17, 21)
_CARD: Colour = (27, 31, 38)
_SCREEN: Colour = (8, 9, 11)
_TITLE: Colour = (240, 242, 245)
_HEADING: Colour = (226, 230, 236)
_CAPTION: Colour = (152, 161, 174)
_ACCENT: Colour = (255, 183, 77)
_TRACK: Colour = (46, 52, 62)

# Pixels.
_WIDTH, _HEIGHT = 352, 198  # of a picture: 16 to 9
_MARGIN, _GAP, _PADDING = 36, 24, 16
_RADIUS = 12
_TITLE_SIZE, _HEADING_SIZE, _CAPTION_SIZE = 28, 15, 15
_LINE = 22
_CAPTION_LINES = 2
_TITLE_BAND = 76
_BAR = 4
_TEXT_BAND = _PADDING + _LINE + 6 + _CAPTION_LINES * _LINE + _PADDING
_BOLD, _REGULAR = 650, 400  # weights

_MOST_COLUMNS = 4
_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
_ELLIPSIS = "…"
_ENDLESS = 1 << 20  # pixels; measured text must not wrap by itself


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """One moment of a contact sheet.

    Attributes:
        picture: uint8 (H, W, 3), RGB, of any size and aspect; None where there is none to show.
        heading: such as `fold-a-shirt.mp4  0:12 - 0:17`; what follows two spaces is never cut off.
        caption: what is said, in any script; shortened to two lines.
        score: 0..1, or None to show none.
    """

    picture: Picture | None
    heading: str
    caption: str = ""
    score: float | None = None


def contact_sheet(cells: Sequence[Cell], *, title: str, columns: int | None = None) -> Picture:
    """Draw moments in rows, in order.

    Args:
        cells: none at all gives a sheet that says so.
        title: such as the query; shortened to one line.
        columns: how many side by side; None: as many as look well, at most 4.

    Returns:
        uint8 (H, W, 3), RGB.

    Raises:
        UsageError: `columns` is below 1.
    """
    if columns is not None and columns < 1:
        raise UsageError(f"{columns} columns: at least 1 is needed")
    columns = columns or _good_columns(len(cells))
    rows = -(-len(cells) // columns)
    card_height = _HEIGHT + _TEXT_BAND
    width = 2 * _MARGIN + columns * _WIDTH + (columns - 1) * _GAP
    height = _TITLE_BAND + rows * (card_height + _GAP) - (_GAP if rows else 0) + _MARGIN
    sheet = np.full((height + (0 if rows else _LINE), width, 3), _PAGE, np.uint8)
    writer = _Writer(sheet)
    band = width - 2 * _MARGIN
    writer.write(
        writer.fit(title, band, _TITLE_SIZE, _BOLD), _MARGIN, 50, band, _TITLE_SIZE, _TITLE
    )
    if not cells:
        writer.write("No moments found.", _MARGIN, 84, band, _CAPTION_SIZE, _CAPTION, _REGULAR)
    for i, cell in enumerate(cells):
        x = _MARGIN + i % columns * (_WIDTH + _GAP)
        y = _TITLE_BAND + i // columns * (card_height + _GAP)
        _draw_card(sheet, writer, cell, x, y)
    return sheet


def _good_columns(count: int) -> int:
    """Few cells in one row; else what leaves the last row fullest, more columns on a tie."""
    if count <= 3:
        return max(1, count)
    return min((4, 3), key=lambda columns: -count % columns)


def _draw_card(sheet: Picture, writer: "_Writer", cell: Cell, x: int, y: int) -> None:
    card = np.full((_HEIGHT + _TEXT_BAND, _WIDTH, 3), _CARD, np.uint8)
    card[:_HEIGHT] = _letterboxed(cell.picture)
    _paste_rounded(sheet, card, x, y)
    if cell.picture is None:
        writer.write(
            "no picture", x, y + _HEIGHT // 2, _WIDTH, _CAPTION_SIZE, _CAPTION, centred=True
        )
    text_x, text_width = x + _PADDING, _WIDTH - 2 * _PADDING
    baseline = y + _HEIGHT + _PADDING + _HEADING_SIZE
    heading_width = text_width
    if cell.score is not None:
        heading_width -= _draw_score(sheet, writer, cell.score, x, y, baseline)
    heading = writer.fit(cell.heading, heading_width, _HEADING_SIZE, _BOLD)
    writer.write(heading, text_x, baseline, heading_width, _HEADING_SIZE, _HEADING)
    for line in writer.wrap(cell.caption, text_width, _CAPTION_SIZE, _CAPTION_LINES):
        baseline += _LINE
        writer.write(line, text_x, baseline + 6, text_width, _CAPTION_SIZE, _CAPTION, _REGULAR)


def _draw_score(
    sheet: Picture, writer: "_Writer", score: float, x: int, y: int, baseline: int
) -> int:
    """Draw the score as a bar under the picture and a number; returns the number's width."""
    share = min(max(score, 0.0), 1.0) if np.isfinite(score) else 0.0
    top = y + _HEIGHT
    sheet[top : top + _BAR, x : x + _WIDTH] = _TRACK
    sheet[top : top + _BAR, x : x + round(share * _WIDTH)] = _ACCENT
    number = f"{score:.2f}"
    width = writer.width(number, _HEADING_SIZE, _BOLD)
    right = x + _WIDTH - _PADDING
    writer.write(number, right - width, baseline, width, _HEADING_SIZE, _ACCENT)
    return width + _PADDING


def _letterboxed(picture: Picture | None) -> Picture:
    """A picture scaled to fit the screen of a card, with even bars where its aspect differs."""
    screen = np.full((_HEIGHT, _WIDTH, 3), _SCREEN, np.uint8)
    if picture is None or picture.size == 0:
        return screen
    height, width = picture.shape[:2]
    scale = min(_WIDTH / width, _HEIGHT / height)
    size = max(1, min(_WIDTH, round(width * scale))), max(1, min(_HEIGHT, round(height * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    scaled = cv2.resize(picture, size, interpolation=method)
    x, y = (_WIDTH - size[0]) // 2, (_HEIGHT - size[1]) // 2
    screen[y : y + size[1], x : x + size[0]] = scaled
    return screen


def _paste_rounded(sheet: Picture, card: Picture, x: int, y: int) -> None:
    height, width = card.shape[:2]
    mask = _rounded(height, width)[..., None]
    under = sheet[y : y + height, x : x + width]
    sheet[y : y + height, x : x + width] = (
        (card * mask + under * (1 - mask)).round().astype(np.uint8)
    )


def _rounded(height: int, width: int) -> NDArray[np.float32]:
    """1 inside a rectangle with round corners, 0 outside, smooth at the edge."""
    x = np.abs(np.arange(width) - (width - 1) / 2) - (width / 2 - _RADIUS)
    y = np.abs(np.arange(height) - (height - 1) / 2) - (height / 2 - _RADIUS)
    distance = np.hypot(np.maximum(x[None], 0), np.maximum(y[:, None], 0))
    mask: NDArray[np.float32] = np.clip(_RADIUS - distance + 0.5, 0, 1).astype(np.float32)
    return mask


class _Writer:
    """Writes text of any script onto one sheet, and measures it."""

    def __init__(self, sheet: Picture) -> None:
        self._sheet = sheet
        self._font = cv2.FontFace("sans")

    def width(self, text: str, size: int, weight: int) -> int:
        """Pixels from the left edge to the right one."""
        box = cv2.getTextSize(
            (_ENDLESS, 100), text, (0, 0), self._font, size, weight, _LEFT, (0, _ENDLESS)
        )
        return int(box[2])

    def fit(self, text: str, width: int, size: int, weight: int) -> str:
        """The text on one line; where it is too long its middle is left out, and the end stays."""
        text = _one_line(text)
        name, gap, tail = text.rpartition("  ")
        if not gap:
            name, tail = tail, ""

        def shortened(length: int) -> str:
            if length == len(name):
                return text
            return f"{name[:length].rstrip()}{_ELLIPSIS}{gap}{tail}"

        def fits(length: int) -> bool:
            return self.width(shortened(length), size, weight) <= width

        return shortened(_longest(len(name), fits))

    def wrap(self, text: str, width: int, size: int, lines: int) -> list[str]:
        """The text on so many lines at most, broken at spaces where there are any."""
        rest = " ".join(_one_line(text).split())
        done: list[str] = []
        while rest and len(done) < lines - 1:
            cut = self._break(rest, width, size)
            done.append(rest[:cut].strip())
            rest = rest[cut:].strip()
        return [*done, self.fit(rest, width, size, _REGULAR)] if rest else done

    def _break(self, text: str, width: int, size: int) -> int:
        """How much of a text goes on one line."""
        most = _longest(len(text), lambda n: self.width(text[:n], size, _REGULAR) <= width)
        space = text.rfind(" ", 0, most + 1)
        return most if most == len(text) else space if space > 0 else max(1, most)

    def write(
        self,
        text: str,
        x: int,
        baseline: int,
        width: int,
        size: int,
        colour: Colour,
        weight: int = _BOLD,
        *,
        centred: bool = False,
    ) -> None:
        """Write one line from x, or up to x + width for a script that runs from right to left."""
        spare = width - self.width(text, size, weight)
        drawn = _as_seen(text)
        if centred:
            x += spare // 2
        elif _runs_left(text):
            x += spare
        end = self._sheet.shape[1]
        cv2.putText(
            self._sheet, drawn, (x, baseline), colour, self._font, size, weight, _LEFT, (0, end)
        )


_LEFT = cv2.PUT_TEXT_ALIGN_LEFT


def _one_line(text: str) -> str:
    """Without characters that are no glyphs: line breaks and tabs become spaces."""
    spaced = re.sub(r"[\r\n\t\v\f]", " ", text)
    kept = "".join(c for c in spaced if unicodedata.category(c) not in ("Cc", "Cs", "Cf"))
    return kept.strip()


def _runs_left(text: str) -> bool:
    """The first character with a direction runs from right to left."""
    directions = (unicodedata.bidirectional(character) for character in text)
    return next((d for d in directions if d in ("L", "R", "AL")), "L") != "L"


def _as_seen(text: str) -> str:
    """The characters from left to right: OpenCV draws them in the order of the string.

    Word by word, which is right for all but the finer points of mixed text.
    """
    runs = [list(words) for _, words in groupby(text.split(" "), key=_runs_left)]
    turned = [[word[::-1] for word in reversed(run)] if _runs_left(run[0]) else run for run in runs]
    if _runs_left(text):
        turned.reverse()
    return " ".join(word for run in turned for word in run)


def _longest(most: int, fits: Callable[[int], bool]) -> int:
    """The largest n in 0..most with fits(n), given that what fits stays fitting when shorter."""
    low, high = 0, most
    if fits(most):
        return most
    while low < high:
        middle = (low + high + 1) // 2
        if fits(middle):
            low = middle
        else:
            high = middle - 1
    return low


def write_picture(path: Path, image: Picture) -> None:
    """Write an RGB picture; the file is absent or whole.

    Args:
        path: its suffix says the format: .png, .jpg, .jpeg or .webp.
        image: uint8 (H, W, 3), RGB.

    Raises:
        UsageError: another suffix, or the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in _SUFFIXES:
        raise UsageError(f"cannot write a picture as {path.name}: use .png, .jpg or .webp")
    done, encoded = cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    if not done:
        raise UsageError(f"a picture of {image.shape[1]}x{image.shape[0]} cannot be {suffix}")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(encoded.tobytes())
        part.replace(path)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
