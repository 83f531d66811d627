"""Queries of a file, and what a library says of its own videos."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from howto.errors import UsageError
from howto.evaluate.moments import Span
from howto.evaluate.truth import (
    KnownVideo,
    OwnQuery,
    caption_queries,
    known_videos,
    library_queries,
    read_queries,
)
from howto.library import Library
from howto.search.refresh import refresh

VIDEOS = {
    "id-a": KnownVideo("id-a", 1, ("shirts/fold.mp4",), 20.0),
    "id-b": KnownVideo("id-b", 2, ("bread.mp4", "copies/bread.mp4"), 100.0),
    "id-c": KnownVideo("id-c", 3, ("more/fold.mp4",), 30.0),
}


@pytest.fixture
def csv_file(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "queries.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_rows_name_videos_and_times_as_people_do(csv_file: Callable[[str], Path]) -> None:
    path = csv_file(
        "\ufeffvideo,start,end,query,kind,who\n"
        "shirts/fold.mp4,1.5,4,fold the sleeve,seen,me\n"
        "bread.mp4,0:59.5,1:02,knead,,\n"
        "id-c,0,30.5,Fold  the SLEEVE,seen,\n"
        "copies/bread.mp4,0:01:10,80,knead,said,\n"
    )
    queries, problems = read_queries(path, VIDEOS)
    assert problems == []
    assert queries == [
        OwnQuery("fold the sleeve", "seen", (Span("id-a", 1.5, 4), Span("id-c", 0, 30))),
        OwnQuery("knead", "query", (Span("id-b", 59.5, 62),)),
        OwnQuery("knead", "said", (Span("id-b", 70, 80),)),
    ]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("59.5", 59.5), ("0:59.5", 59.5), ("1:5", 65), ("90:00", 5400), ("1:02:03", 3723)],
)
def test_clocks(csv_file: Callable[[str], Path], text: str, seconds: float) -> None:
    videos = {"long": KnownVideo("long", 1, ("long.mp4",), 9000.0)}
    (query,), _ = read_queries(csv_file(f"query,video,start,end\na,long,{text},9000\n"), videos)
    assert query.truths[0].start == seconds


@pytest.mark.parametrize("text", ["1:2:75", "1:60", "0:99", "1:60:00", "1:100:00", ":30", "1:"])
def test_no_clock_shows_sixty(csv_file: Callable[[str], Path], text: str) -> None:
    videos = {"long": KnownVideo("long", 1, ("long.mp4",), 90_000.0)}
    with pytest.raises(UsageError, match=f"{text!r} is no time"):
        read_queries(csv_file(f"query,video,start,end\na,long,{text},90000\n"), videos)


def test_problems_are_told_by_line_and_left_out(csv_file: Callable[[str], Path]) -> None:
    path = csv_file(
        "query,video,start,end\n"
        "one,bread.mp4,1,2\n"
        "two,nobody.mp4,1,2\n"
        "three,fold.mp4,1,2\n"
        "four,bread.mp4,5,5\n"
        "five,bread.mp4,90,102\n"
        ",bread.mp4,1,2\n"
        "six,bread.mp4,soon,2\n"
        "seven,bread.mp4,-1,2\n"
        "eight,bread.mp4\n"
        "nine,bread.mp4,100.5,100.9\n"
        "ten,bread.mp4,nan,2\n"
    )
    queries, problems = read_queries(path, VIDEOS)
    assert [query.text for query in queries] == ["one"]
    told = {problem.line: problem.what for problem in problems}
    assert list(told) == list(range(3, 13))
    assert "no video 'nobody.mp4'" in told[3]
    assert "2 videos are named 'fold.mp4'; give the path" in told[4]
    assert "not after its start" in told[5]
    assert "the video after 100.00 s" in told[6]
    assert "no query" in told[7]
    for line, text in ((8, "soon"), (9, "-1"), (10, ""), (12, "nan")):
        assert f"{text!r} is no time" in told[line]
    assert "where the video ends" in told[11]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("query,video,start\n", "no column 'end'"),
        ("", "no column 'query'"),
        ("query,video,start,end\n", "no query that can be asked"),
        ("query,video,start,end\na,b,1,2\n", "line 2: there is no video 'b'"),
        ('query,video,start,end\na,"b,1,2', "cannot be read as CSV"),
    ],
)
def test_a_file_without_queries_is_refused(
    csv_file: Callable[[str], Path], text: str, told: str
) -> None:
    with pytest.raises(UsageError, match=told):
        read_queries(csv_file(text), VIDEOS)


def test_no_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_queries(tmp_path / "none.csv", VIDEOS)


cells = st.sampled_from(["knead", "bread.mp4", "1", "2.5", "1:00", "", "x", '"', "\x00", "é"])


@given(st.one_of(st.text(), st.lists(st.lists(cells, max_size=6).map(",".join)).map("\n".join)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_read_or_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "any.csv"
    path.write_bytes(f"query,video,start,end\n{text}".encode(errors="surrogatepass"))
    try:
        queries, problems = read_queries(path, VIDEOS)
    except UsageError:
        return
    assert queries
    assert all(problem.line and problem.what for problem in problems)
    for query in queries:
        for span in query.truths:
            assert 0 <= span.start < span.end <= VIDEOS[span.video].duration


@pytest.fixture
def told(videos: Path) -> Iterator[Library]:
    """A library whose videos have titles, chapters and tasks."""
    info = {
        "title": "How to fold a shirt",
        "chapters": [
            {"start_time": 0, "end_time": 4, "title": "Intro"},
            {"start_time": 4, "end_time": 10, "title": "Folding the sleeves"},
            {"start_time": 10, "end_time": 25, "title": "3."},
        ],
    }
    (videos / "shirts" / "fold.info.json").write_text(json.dumps(info))
    info = {
        "title": "PANCAKES",
        "chapters": [{"start_time": 1, "end_time": 20, "title": "folding the  Sleeves"}],
    }
    (videos / "pancakes.info.json").write_text(json.dumps(info))
    with Library.open(videos) as library:
        refresh(library)
        ids = {paths[0]: library.video_id(n) for n, paths in library.paths().items()}
        with library.writing() as connection:
            connection.execute(
                "INSERT INTO tasks VALUES (1, 'Fold laundry', '', '', ''), (2, 'Swim', '', '', '')"
            )
            for number, path in enumerate(("shirts/fold.mp4", "silent.mp4"), start=1):
                connection.execute(
                    "INSERT INTO candidates (candidate, video_id, source, site, address, title,"
                    " state) VALUES (?, ?, '', '', '', '', 'done')",
                    (number, ids[path]),
                )
                connection.execute("INSERT INTO hits VALUES (?, 1, 1)", (number,))
        yield library


def test_a_library_says_what_its_videos_are_of(told: Library) -> None:
    known = known_videos(told)
    ids = {video.paths[0]: video.video_id for video in known.values()}
    fold, pancakes = ids["shirts/fold.mp4"], ids["pancakes.mp4"]
    found = {(one.kind, one.text): one.truths for one in library_queries(told, known)}
    assert found.pop(("task", "Fold laundry")) == (
        Span(fold, 0, 20),
        Span(ids["silent.mp4"], 0, 20),
    )
    assert found.pop(("title", "How to fold a shirt")) == (Span(fold, 0, 20),)
    assert found.pop(("title", "PANCAKES")) == (Span(pancakes, 0, 20),)
    # The same name of two chapters, whatever its case, is one query of two moments.
    (chapter,) = found
    assert chapter[0] == "chapter"
    assert chapter[1].casefold().split() == ["folding", "the", "sleeves"]
    assert set(found[chapter]) == {Span(fold, 4, 10), Span(pancakes, 1, 20)}


def test_lines_are_queries_for_pictures(told: Library) -> None:
    known = known_videos(told)
    texts = [one.text for one in caption_queries(told, known)]
    assert "press the iron down" in texts
    assert len(texts) == 6
    assert {one.kind for one in caption_queries(told, known)} == {"caption"}
