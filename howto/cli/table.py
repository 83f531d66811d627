"""A table that is whole at any width of a terminal."""

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import replace

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Column, Table

__all__ = ["FittedTable"]

_LEAST = 8  # columns for a text that is folded; with less it cannot be read
_GAP = 2  # columns between two cells
_ANY_WIDTH = 10_000  # columns: more than any table has


class FittedTable(Table):
    """A table without lines that is as wide as the terminal at most, and loses no letter.

    rich shrinks columns to nothing, and cuts those that may not wrap, where the widths that it was
    told do not fit. Here text folds, and words of a number stay whole. Columns with `no_wrap` are
    one line for each of theirs, those of text only where that leaves room for the others. Where no
    widths are left, each row is a block of lines, as in the expanded display of psql.
    """

    def __init__(self, *, header: bool = True) -> None:
        super().__init__(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), show_header=header)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = options.max_width if self.width is None else self.width
        widths = self._widths(console, options, width - _GAP * (len(self.columns) - 1))
        if widths is None:
            yield from self._blocks()
            return
        fitted = copy(self)
        # What is to be one line has the width for it; what gave way folds.
        fitted.columns = [
            replace(column, width=wide, no_wrap=False)
            for column, wide in zip(self.columns, widths, strict=True)
        ]
        yield from Table.__rich_console__(fitted, console, options)

    def _widths(self, console: Console, options: ConsoleOptions, room: int) -> list[int] | None:
        """The columns' widths without the gaps; None where the least ones do not fit."""
        measured = [self._measured(one, console, options) for one in self.columns]
        natural = [one.maximum for one in measured]
        for gives_way in (False, True):
            least = [
                _least(column, one, gives_way=gives_way)
                for column, one in zip(self.columns, measured, strict=True)
            ]
            if sum(least) <= room:
                return _shrunk(natural, least, room)
        return None

    def _measured(self, column: Column, console: Console, options: ConsoleOptions) -> Measurement:
        """The widest word and the widest line of a column."""
        if column.width is not None:
            return Measurement(column.width, column.width)
        cells = [*([column.header] if self.show_header else []), *column.cells]
        wide = options.update(width=_ANY_WIDTH)
        found = [Measurement.get(console, wide, cell) for cell in cells]
        # rich makes a column of 1 of an empty one.
        longest_word = max([1, *(one.minimum for one in found)])
        return Measurement(longest_word, max([1, *(one.maximum for one in found)]))

    def _blocks(self) -> Iterator[RenderableType]:
        """Each row: its first cell, and below it the others behind their columns' names."""
        names = [column.header if self.show_header else "" for column in self.columns]
        cells = zip(*(column.cells for column in self.columns), strict=True)
        for row, (first, *others) in zip(self.rows, cells, strict=True):
            style = row.style or ""
            if first:
                yield Padding(first, 0, style=style)
            lines = Table.grid(padding=(0, _GAP, 0, 0))
            lines.add_column(style="dim", overflow="fold")
            lines.add_column(overflow="fold")
            for name, cell in zip(names[1:], others, strict=True):
                if cell:
                    lines.add_row(name, cell, style=style)
            yield Padding(lines, (0, 0, 0, _GAP))


def _least(column: Column, measured: Measurement, *, gives_way: bool) -> int:
    """The columns that a column needs.

    Args:
        gives_way: text that is kept in one line is folded after all.
    """
    is_number = column.justify == "right"
    if column.width is not None or (column.no_wrap and (is_number or not gives_way)):
        return measured.maximum
    return measured.minimum if is_number else min(measured.maximum, _LEAST)


def _shrunk(natural: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """Widths that fit: what is too much is taken from the widest of those that may be narrower."""
    widths = list(natural)
    last = len(widths) - 1
    for _ in range(sum(natural) - room):
        may = [place for place, width in enumerate(widths) if width > least[place]]
        # As rich counts: with the gap behind a column.
        widest = max(may, key=lambda place: widths[place] + _GAP * (place < last))
        widths[widest] -= 1
    return widths
