"""Contact sheets: sizes, that text is there and stays in its place, and the files written."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from howto.errors import UsageError
from howto.media.sheet import Cell, contact_sheet, write_picture

GREEN = np.full((90, 160, 3), (0, 200, 0), np.uint8)


def cell(**changes: object) -> Cell:
    given = {
        "picture": GREEN,
        "heading": "fold.mp4  0:12 - 0:17",
        "caption": "fold it",
        "score": 0.5,
    }
    return Cell(**{**given, **changes})  # type: ignore[arg-type]


def test_the_pictures_are_in_rows() -> None:
    sheet = contact_sheet([cell()] * 5, title="fold a shirt", columns=2)
    green = (sheet == (0, 200, 0)).all(axis=2)

    # A run of green begins with each picture.
    across, down = green.any(axis=0).astype(int), green.any(axis=1).astype(int)
    assert (np.diff(across) == 1).sum() == 2
    assert (np.diff(down) == 1).sum() == 3


@pytest.mark.parametrize(
    ("count", "columns"), [(0, 1), (1, 1), (3, 3), (4, 4), (6, 3), (8, 4), (9, 3)]
)
def test_columns_that_look_well(count: int, columns: int) -> None:
    sheet = contact_sheet([cell()] * count, title="x")

    assert sheet.shape[1] == 72 + columns * 352 + (columns - 1) * 24


@pytest.mark.parametrize("size", [(100, 100), (400, 10), (10, 400), (1, 1), (1080, 1920)])
def test_any_aspect_is_letterboxed_in_the_middle(size: tuple[int, int]) -> None:
    picture = np.full((*size, 3), (0, 200, 0), np.uint8)
    sheet = contact_sheet([cell(picture=picture)], title="", columns=1)
    rows, columns = np.nonzero((sheet == (0, 200, 0)).all(axis=2))

    scale = min(352 / size[1], 198 / size[0])
    assert np.ptp(columns) + 1 == max(1, round(size[1] * scale))
    assert np.ptp(rows) + 1 == pytest.approx(max(1, round(size[0] * scale)), abs=8)
    assert abs((columns.min() + columns.max()) / 2 - (36 + 175.5)) <= 1


@pytest.mark.parametrize("text", ["fold", "折る", "сложить", "قميص", "חולצה", "Ünïcødé"])
def test_text_of_many_scripts_is_drawn(text: str) -> None:
    with_text = contact_sheet([cell(caption=text)], title="x")
    without = contact_sheet([cell(caption="")], title="x")
    unknown = contact_sheet([cell(caption="?" * len(text))], title="x")

    assert not np.array_equal(with_text, without)
    assert not np.array_equal(with_text, unknown)


def test_right_to_left_text_ends_at_the_right() -> None:
    empty = contact_sheet([cell(caption="")], title="x")
    for text, side in (("שלום", 1), ("hello", 0)):
        drawn = (contact_sheet([cell(caption=text)], title="x") != empty).any(axis=2)
        middle = np.nonzero(drawn)[1].mean()
        assert (middle > 36 + 176) == bool(side)


def test_long_text_stays_inside_its_card() -> None:
    long = "a very long file name without any end " * 20
    cells = [cell(heading=f"{long}.mp4  1:00:12 - 1:00:17", caption=long), cell(caption="")]
    sheet = contact_sheet(cells, title=long, columns=2)
    page = np.array((15, 17, 21), np.uint8)

    assert (sheet[76:-36, 36 + 352 + 1 : 36 + 352 + 23] == page).all()
    assert (sheet[:, -35:] == page).all()
    assert (sheet[-35:] == page).all()


def test_the_time_of_a_long_heading_stays() -> None:
    """Where only the name is too long, two times give two sheets."""
    one, two = (
        contact_sheet([cell(heading=f"{'n' * 200}.mp4  0:1{i} - 0:19")], title="x") for i in (2, 3)
    )

    assert not np.array_equal(one, two)


def test_scores() -> None:
    accent = (255, 183, 77)
    lengths = []
    for score in (None, 0.0, 0.25, 1.0, 7.0):
        sheet = contact_sheet([cell(score=score)], title="x")
        bar = sheet[76 + 198 + 1]
        lengths.append(int((bar == accent).all(axis=1).sum()))

    assert lengths == [0, 0, 88, 352, 352]


def test_no_moment_and_no_picture() -> None:
    assert contact_sheet([], title="nothing").max() > 100
    assert (
        contact_sheet([cell(picture=None)], title="x").shape
        == contact_sheet([cell()], title="x").shape
    )


@settings(deadline=None, max_examples=40)
@given(st.text(max_size=80), st.text(max_size=80), st.floats(allow_nan=True, allow_infinity=True))
def test_any_text_and_score_gives_a_sheet(heading: str, caption: str, score: float) -> None:
    sheet = contact_sheet([Cell(None, heading, caption, score)], title=caption)

    assert sheet.dtype == np.uint8


def test_columns_below_one() -> None:
    with pytest.raises(UsageError):
        contact_sheet([], title="x", columns=0)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".JPEG", ".webp"])
def test_pictures_are_written_in_rgb(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"ünï 図{suffix}"
    write_picture(path, GREEN)

    read = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    assert np.abs(read[..., ::-1].astype(int) - GREEN).max() < 8
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written(tmp_path: Path) -> None:
    for path in (tmp_path / "a.gif", tmp_path / "a", tmp_path / "missing" / "a.png"):
        with pytest.raises(UsageError):
            write_picture(path, GREEN)
    assert not list(tmp_path.iterdir())
