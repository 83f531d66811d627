"""The report: a table like the paper's, worked by hand."""

from pathlib import Path

from howto.collect.fetched import Task
from howto.collect.report import NO_CATEGORY, Row, as_rows, report
from howto.collect.sources.howto100m_csv import HowTo100MCsvSource
from howto.errors import Reason
from howto.search.refresh import refresh

TASKS = [
    Task("fold", "Home", "1", "fold"),
    Task("iron", "Home", "2", "iron"),
    Task("bake", "Food", "3", "bake"),
    Task("juggle", "", "", "juggle"),
]


def collected(desk, trouble) -> None:
    desk.source.finds = {
        "fold": ["a", "b"],
        "iron": ["b", "c", "gone"],
        "bake": ["b", "few"],
        "juggle": ["d"],
    }
    desk.source.facts = {
        "a": {"duration": 900.0},
        "b": {"duration": 1800.0, "views": None},
        "c": {"duration": None},
        "few": {"views": 3},
    }
    desk.source.words = {"c": 200}
    desk.source.trouble["describe", "gone"] = trouble(Reason.GONE)
    desk.ledger.put_tasks(TASKS, "memory", 200)


def test_by_hand(desk, trouble) -> None:
    collected(desk, trouble)
    desk.run()
    found = report(desk.library)
    # 120 words are 15 lines of 8, and 200 are 25, the last of which ends at 50 s: that is how long
    # the video is, of which nobody says it.
    assert found.total == Row("", "", 4, 4, 15 + 15 + 25 + 15, (900 + 1800 + 50 + 60) / 3600, 1, 0)
    assert found.categories == (
        # b was found by two tasks of Home, and counts there once.
        Row("Home", "", 2, 3, 55, 2750 / 3600, 1, 0),
        Row(NO_CATEGORY, "", 1, 1, 15, 60 / 3600, 0, 0),
        Row("Food", "", 1, 1, 15, 1800 / 3600, 0, 0),
    )
    tasks = {row.task: (row.videos, row.clips, row.gone) for row in found.tasks}
    assert tasks == {
        "fold": (2, 30, 0),
        "iron": (2, 40, 1),
        "bake": (1, 15, 0),
        "juggle": (1, 15, 0),
    }
    assert {reason or state: count for state, reason, count in found.outcomes} == {
        "done": 4,
        "gone": 1,
        "too_few_views": 1,
    }
    assert (found.unknown_views, found.searches_waiting, found.forgotten) == (1, 0, 0)


def test_what_waits_is_counted(desk, trouble) -> None:
    collected(desk, trouble)
    desk.run(limit=1)
    found = report(desk.library)
    assert (found.total.videos, found.total.waiting, found.searches_waiting) == (1, 1, 3)


def test_as_a_table_every_row_is_whole(desk, trouble) -> None:
    collected(desk, trouble)
    desk.run()
    rows = list(as_rows(report(desk.library)))
    assert {len(row) for row in rows} == {9}
    assert [row[0] for row in rows] == ["of", *["category"] * 3, *["task"] * 4, "total"]
    assert rows[-1][3:] == ("4", "4", "70", "0.781", "1", "0")


def test_the_length_that_was_probed_goes_first(desk, trouble, small_video) -> None:
    desk.source.finds["fold"] = ["a"]
    desk.source.facts["a"] = {"duration": 900.0}
    desk.source.media_file = lambda video_id, path: small_video(Path(path), seconds=36)
    desk.run("fold")
    refresh(desk.library, workers=1)
    assert abs(report(desk.library).total.hours - 36 / 3600) < 1e-3


def test_an_empty_library_has_a_report(desk) -> None:
    found = report(desk.library)
    assert found.total == Row("", "", 0, 0, 0, 0.0, 0, 0)
    assert found.outcomes == ()


def test_the_papers_list_by_category_and_rank(desk, tmp_path: Path) -> None:
    listed = tmp_path / "HowTo100M_v1.csv"
    listed.write_text(
        "video_id,category_1,category_2,rank,task_id\n"
        "aaaaaaaaaaa,Food,Drinks,7,10\n"
        "bbbbbbbbbbb,Food,Drinks,9,10\n"
        "aaaaaaaaaaa,Cars,Repair,2,20\n"
        "bbbbbbbbbbb,Food,Drinks,3,10\n"
    )
    source = HowTo100MCsvSource(csv=listed)
    for _ in range(2):  # read again by a run that goes on
        assert desk.ledger.put_list(source.hits()) == 4
    assert desk.ledger.num_open() == (0, 2)
    assert desk.ledger.videos_with_rank_at_most(2) == {"youtube-aaaaaaaaaaa"}
    assert len(desk.ledger.videos_with_rank_at_most(3)) == 2
    found = report(desk.library)
    assert [(row.category, row.tasks, row.waiting) for row in found.categories] == [
        ("Cars", 1, 1),
        ("Food", 1, 2),
    ]
    assert found.total.waiting == 2
