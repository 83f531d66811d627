"""Neighbouring hits become one moment."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from howto.search.fusion import fuse
from howto.search.moments import MAX_SECONDS, Moment, join
from howto.search.words import Candidate


def hit(clip: int | None, start: float, end: float, score: float, number: int = 1) -> Candidate:
    return Candidate(number, start, end, f"line {clip}", clip, score, ("narration",))


def moments(*hits: Candidate, top: int = 10) -> list[Moment]:
    ranked = sorted(hits, key=lambda one: -one.score)
    return join(fuse({"words": ranked}, key=lambda one: one.key), top)


def spans(*hits: Candidate, top: int = 10) -> list[tuple[float, float]]:
    return [(moment.start, moment.end) for moment in moments(*hits, top=top)]


def test_neighbours_join_and_a_pause_parts() -> None:
    assert spans(hit(1, 0, 4, 0.9), hit(2, 5, 9, 0.8), hit(3, 12, 15, 0.7)) == [(0, 9), (12, 15)]


def test_a_weak_neighbour_stays_out() -> None:
    assert spans(hit(1, 0, 4, 0.9), hit(2, 4, 8, 0.3)) == [(0, 4), (4, 8)]


def test_what_is_named_around_lines_joins_none() -> None:
    lines = [
        replace(hit(1, 0, 4, 0.78), around=0.5),
        replace(hit(2, 4, 8, 0.96), around=0.1),
        replace(hit(3, 8, 12, 0.9), around=0.3),
    ]
    assert spans(*lines) == [(4, 12), (0, 4)]


def test_a_moment_plays_from_its_best_line_and_scores_with_its_names() -> None:
    lines = [hit(1, 0, 4, 0.6), replace(hit(2, 4, 10, 0.9), around=0.1)]
    (moment,) = moments(*lines)
    assert (moment.start, moment.at, moment.score) == (0, 7, 0.9)


def fused_spans(**rankings: list[Candidate]) -> list[tuple[float, float]]:
    """The moments of several signals, each named with what it ranks."""
    ranked = {signal: sorted(hits, key=lambda one: -one.score) for signal, hits in rankings.items()}
    found = join(fuse(ranked, key=lambda one: one.key), 10)
    return [(moment.start, moment.end) for moment in found]


def test_what_is_seen_before_a_line_is_said_is_no_part_of_its_moment() -> None:
    windows = [hit(1, 0, 10, 0.9), hit(2, 10, 20, 0.95)]
    assert fused_spans(pictures=windows, words=[hit(3, 20, 23, 0.8)]) == [(0, 20), (20, 23)]
    # A line that is seen as well begins where it is said all the same.
    lines = [hit(3, 20, 23, 0.6)]
    assert fused_spans(pictures=[*windows, hit(3, 20, 23, 1.0)], words=lines) == [
        (20, 23),
        (0, 20),
    ]


def test_lines_that_say_it_join_whatever_pictures_make_of_them() -> None:
    lines = [hit(1, 0, 3, 0.9), hit(2, 3, 6, 0.7)]
    assert fused_spans(words=lines, pictures=[hit(1, 0, 3, 0.8)]) == [(0, 6)]
    assert fused_spans(meaning=lines, pictures=[hit(1, 0, 3, 1.0)]) == [(0, 6)]


def test_what_is_hardly_said_is_where_it_is_seen() -> None:
    windows = [hit(1, 0, 10, 0.9), hit(2, 10, 20, 0.95)]
    said = [hit(2, 10, 20, 0.3)]
    assert fused_spans(pictures=windows, words=said) == [(0, 20)]


def test_a_moment_has_an_end() -> None:
    lines = [hit(number + 1, 4 * number, 4 * number + 4, 0.9) for number in range(50)]
    assert max(end - start for start, end in spans(*lines, top=50)) <= MAX_SECONDS


def test_videos_are_kept_apart() -> None:
    assert len(moments(hit(1, 0, 4, 0.9), hit(2, 4, 8, 0.8, number=2))) == 2


def test_chapters_and_whole_videos_stay_alone() -> None:
    assert spans(hit(1, 0, 4, 0.9), hit(None, 4, 60, 0.8)) == [(0, 4), (4, 60)]


def test_rank_and_score_are_those_of_the_best_line_and_words_are_in_order_of_time() -> None:
    (moment,) = moments(hit(2, 4, 8, 0.9), hit(1, 0, 4, 0.6))
    assert (moment.score, moment.ranks, moment.caption) == (0.9, {"words": 1}, "line 1 line 2")


@given(
    st.lists(
        st.tuples(st.floats(0, 100), st.floats(0, 10), st.floats(0, 1), st.integers(1, 3)),
        max_size=30,
    ),
    st.integers(1, 10),
)
def test_every_hit_is_in_at_most_one_moment_and_the_best_come_first(rows, top: int) -> None:
    hits = [
        hit(clip, start, start + length, score, number)
        for clip, (start, length, score, number) in enumerate(rows, start=1)
    ]
    found = moments(*hits, top=top)
    assert len(found) <= top
    words = [word for moment in found for word in moment.caption.replace("line ", "").split()]
    assert len(words) == len(set(words))
    assert [moment.score for moment in found] == sorted((m.score for m in found), reverse=True)
    if hits and top >= len(hits):
        assert len(words) == len(hits)
