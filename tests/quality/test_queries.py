"""The file of queries written for the real videos."""

import csv
from collections import Counter
from pathlib import Path

import pytest

from howto.evaluate.own import evaluate_own
from howto.evaluate.truth import KnownVideo, known_videos, read_queries
from howto.library import Library
from howto.search.refresh import refresh

QUERIES = Path(__file__).with_name("queries.csv")


@pytest.fixture(scope="module")
def real(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of real videos, and a state folder beside it for what is known of them."""
    state = tmp_path_factory.mktemp("quality")
    with Library.open(shared_data / "videos", state) as library:
        refresh(library)
    return state


@pytest.fixture
def library(real: Path, shared_data: Path):
    with Library.open(shared_data / "videos", real) as opened:
        yield opened


@pytest.fixture
def videos(library: Library) -> dict[str, KnownVideo]:
    return known_videos(library)


def test_the_file_holds_60_queries_without_a_problem(videos: dict[str, KnownVideo]) -> None:
    with QUERIES.open(newline="") as file:
        rows = list(csv.DictReader(file))
    queries, problems = read_queries(QUERIES, videos)
    assert problems == []
    assert Counter(query.kind for query in queries) == {"seen": 40, "said": 20}
    assert sum(len(query.truths) for query in queries) == len(rows)
    # Whoever asks what is seen asks of many videos.
    seen = {truth.video for query in queries if query.kind == "seen" for truth in query.truths}
    assert len(seen) >= 20


def test_no_moment_lies_outside_its_video(videos: dict[str, KnownVideo]) -> None:
    durations = {video.paths[0]: video.duration for video in videos.values()}
    with QUERIES.open(newline="") as file:
        for row in csv.DictReader(file):
            assert 0 <= float(row["start"]) < float(row["end"]) <= durations[row["video"]] + 0.01


def test_the_words_that_are_there_find_their_moments(library: Library) -> None:
    result = evaluate_own(library, queries=QUERIES)
    (words,) = result.parts[0].results
    found = {
        query.text: bool(right)
        for query, right in zip(
            result.parts[0].queries, words.scores.found["IoU 0.5"][1].right, strict=True
        )
    }
    # One video brings captions of its own; these are exact.
    assert found["one of the largest cleanrooms in the world"]
    assert found["where is the Goddard Space Flight Center"]
    # What nobody wrote down cannot be found by words, and no file name says it.
    assert not found["we are a community project"]
    for name, by_k in words.scores.found.items():
        assert by_k[1].recall.value > by_k[1].chance, name
