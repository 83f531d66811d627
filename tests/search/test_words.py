"""Ranking by words, against a plain restatement of BM25 and on cases worked by hand."""

import math
import sqlite3
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from howto import schema
from howto.search import words
from howto.search.query import Query
from howto.search.words import add_video, rank, remove_video

VOCABULARY = "fold shirt sleeve iron pan egg".split()


def library_of(*captions: str, title: str = "", path: str = "v.mp4") -> sqlite3.Connection:
    """One video with a clip for each caption, 4 s each, in the index."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    schema.migrate(connection, "memory")
    add(connection, 1, captions, title, path)
    return connection


def add(
    connection: sqlite3.Connection,
    number: int,
    captions: Sequence[str],
    title: str = "",
    path: str = "v.mp4",
) -> None:
    connection.execute(
        "INSERT INTO videos (number, video_id, duration, title, info) VALUES (?, ?, ?, ?, '{}')",
        (number, str(number), 4 * len(captions), title),
    )
    for position, caption in enumerate(captions):
        connection.execute(
            "INSERT INTO clips (number, start, end, caption) VALUES (?, ?, ?, ?)",
            (number, 4 * position, 4 * position + 4, caption),
        )
    add_video(connection, number, path)


def found(connection: sqlite3.Connection, query: str) -> list[str]:
    return [one.caption for one in rank(connection, Query.parse(query))]


def plain_bm25(captions: list[str], terms: Sequence[str]) -> list[float]:
    """BM25 with k1 = 1.2 and b = 0.75, as a share of a line of average length that has each term
    once."""
    lines = [caption.split() for caption in captions]
    average = sum(map(len, lines)) / len(lines)
    idfs = {}
    for term in terms:
        holding = sum(term in line for line in lines)
        idfs[term] = math.log(1 + (len(lines) - holding + 0.5) / (holding + 0.5))
    scores = []
    for line in lines:
        score = 0.0
        for term in terms:
            count = line.count(term)
            length = 1 - 0.75 + 0.75 * len(line) / average
            score += idfs[term] * count * 2.2 / (count + 1.2 * length)
        scores.append(min(1.0, score / sum(idfs.values())))
    return scores


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.lists(st.sampled_from(VOCABULARY), min_size=1, max_size=8).map(" ".join),
        min_size=1,
        max_size=12,
    ),
    st.lists(st.sampled_from(VOCABULARY), min_size=1, max_size=3, unique=True),
)
def test_scores_are_those_of_plain_bm25(captions: list[str], terms: list[str]) -> None:
    candidates = rank(library_of(*captions), Query(" ".join(terms), tuple(terms)))
    ours = {one.start: one.score for one in candidates}
    for position, score in enumerate(plain_bm25(captions, terms)):
        assert ours.get(4 * position, 0.0) == pytest.approx(score, abs=1e-9)


def test_a_word_that_every_line_holds_still_finds_them() -> None:
    assert len(found(library_of("fold shirt", "iron shirt", "wash shirt"), "shirt")) == 3


def test_stems_cases_and_accents_match() -> None:
    connection = library_of("Now FOLDING the crêpes")
    assert found(connection, "fold")
    assert found(connection, "crepe")
    assert not found(connection, "foil")


def test_scripts_without_spaces_are_found_inside_a_sentence() -> None:
    connection = library_of("先把衬衫折叠好", "倒入牛奶", "シャツをたたむ", "ผัดไทย")
    assert found(connection, "折叠") == ["先把衬衫折叠好"]
    assert found(connection, "牛奶") == ["倒入牛奶"]
    assert found(connection, "シャツ") == ["シャツをたたむ"]
    assert found(connection, "ไทย") == ["ผัดไทย"]
    assert found(library_of("हिन्दी में", "हम"), "हिन्दी") == ["हिन्दी में"]
    # The characters must stand together and in order.
    assert found(connection, "叠折") == []


def test_a_character_written_in_parts_is_the_same_character() -> None:
    assert found(library_of("옷을 개다", "cre\u0302pes"), "\u110b\u1169\u11ba\u110b\u1173\u11af")
    assert found(library_of("cre\u0302pes"), "crêpes")


def test_a_file_without_a_picture_is_no_moment() -> None:
    connection = library_of(path="song.mp3")
    assert rank(connection, Query.parse("song"))
    connection.execute("UPDATE videos SET info = NULL")
    assert rank(connection, Query.parse("song")) == []


def test_a_line_in_a_video_about_it_comes_before_the_same_line_elsewhere() -> None:
    connection = library_of("now fold it")
    add(connection, 2, ["now fold it"], title="Fold a shirt")
    first, second = rank(connection, Query.parse("fold shirt"))
    assert (first.number, first.matched) == (2, ("narration", "title"))
    assert second.score < first.score <= 1
    assert first.own == pytest.approx(second.score) == second.own


def test_a_name_finds_the_whole_video_where_no_line_does() -> None:
    connection = library_of("hello", "goodbye", path="clothes/FoldShirt_02.mp4")
    (one,) = rank(connection, Query.parse("shirt"))
    assert (one.start, one.end, one.clip, one.matched) == (0, 8, None, ("title",))
    assert one.score < 0.51
    assert found(connection, "clothes")


def test_a_chapter_ends_where_the_next_begins_and_a_description_weighs_less_than_a_title() -> None:
    connection = library_of("fold it", "fold it")
    connection.execute("INSERT INTO videos (number, video_id, info) VALUES (2, '2', '{}')")
    connection.execute("INSERT INTO videos (number, video_id, info) VALUES (3, '3', '{}')")
    connection.execute("UPDATE videos SET title = 'sharpen' WHERE number = 2")
    connection.execute("UPDATE videos SET description = 'sharpen' WHERE number = 3")
    remove_video(connection, 1)
    connection.execute("INSERT INTO chapters (number, start, end, title) VALUES (1, 0, 4, 'shirt')")
    for number in (1, 2, 3):
        add_video(connection, number, f"{number}.mp4")
    inside, after = rank(connection, Query.parse("fold shirt"))
    assert (inside.start, inside.matched) == (0, ("narration", "chapter"))
    assert (after.start, after.matched) == (4, ("narration",))
    titled, described = rank(connection, Query.parse("sharpen"))
    assert (titled.number, described.number) == (2, 3)
    assert described.score < titled.score


def test_what_is_taken_out_is_found_no_more_and_leaves_no_trace() -> None:
    connection = library_of("fold 折叠 shirt", title="Shirts", path="s.mp4")
    add(connection, 2, ["iron"], path="i.mp4")
    remove_video(connection, 1)
    assert found(connection, "shirt") == []
    assert found(connection, "折叠") == []
    assert found(connection, "iron") == ["iron"]
    remove_video(connection, 2)
    for table in ("clip_words", "chapter_words", "video_words"):
        connection.execute(f"INSERT INTO {table}({table}) VALUES ('integrity-check')")
        assert connection.execute(f"SELECT count(*) FROM {table}_docsize").fetchone() == (0,)
    remove_video(connection, 2)


def test_better_lines_of_other_videos_do_not_crowd_out_those_looked_at() -> None:
    crowd = [f"shirt {number}" for number in range(2250)]
    connection = library_of(*crowd)
    add(connection, 2, ["here a long line says the word shirt once among many other words"])
    query = Query.parse("shirt")
    assert {one.number for one in rank(connection, query)} == {1}
    (one,) = rank(connection, query, among={2})
    assert one.number == 2
    assert rank(connection, query, among=set()) == []
    clips = words.clips_saying(connection, query)
    assert rank(connection, query, without=clips - {one.clip}) == [one]


def test_the_rarity_of_a_word_is_that_of_the_whole_library() -> None:
    connection = library_of("shirt", "fold", "fold the iron", title="fold")
    add(connection, 2, ["fold", "now press the shirt"], title="fold a shirt")
    query = Query.parse("fold shirt")
    everything = rank(connection, query)
    assert rank(connection, query, among={1, 2}) == everything
    for number in (1, 2):
        inside = [one for one in everything if one.number == number]
        assert rank(connection, query, among={number}) == inside


def test_a_video_is_no_hit_in_place_of_its_line_that_is_left_out() -> None:
    connection = library_of("iron the shirt", title="Shirts")
    without = words.clips_saying(connection, Query.parse("iron"))
    assert rank(connection, Query.parse("shirt"), without=without) == []


def test_what_is_named_by_what_is_not_wanted_is_no_hit_and_lines_inside_are() -> None:
    connection = library_of("hello", title="", path="iron-a-shirt.mp4")
    add(connection, 2, ["fold the shirt"], path="iron-a-shirt-again.mp4")
    add(connection, 3, ["hello"], title="Shirts")
    add(connection, 4, ["hello"], title="Shirts")
    remove_video(connection, 3)
    remove_video(connection, 4)
    for start, title in ((0, "iron the shirt"), (4, "hang the shirt")):
        connection.execute(
            "INSERT INTO chapters (number, start, end, title) VALUES (4, ?, ?, ?)",
            (start, start + 4, title),
        )
    connection.execute("UPDATE videos SET description = 'no iron needed' WHERE number = 3")
    for number, path in ((3, "c.mp4"), (4, "d.mp4")):
        add_video(connection, number, path)
    query = Query.parse("shirt")
    assert {(one.number, one.start) for one in rank(connection, query)} == {
        *((1, 0), (2, 0), (3, 0), (4, 0), (4, 4))
    }
    left = rank(connection, query, unnamed=Query.parse("ironing"))
    assert {(one.number, one.caption) for one in left} == {
        (2, "fold the shirt"),
        (3, "Shirts"),
        (4, "hang the shirt"),
    }


def test_named_videos_and_chapters_are_looked_at_before_the_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(words, "_MOST_CANDIDATES", 1)
    connection = library_of("hello", title="shirt")
    for number in (2, 3):
        video = (number, str(number), "{}")
        connection.execute("INSERT INTO videos (number, video_id, info) VALUES (?, ?, ?)", video)
        title = " and then a long tale" * (number - 2)
        chapter = (number, f"shirt{title}")
        connection.execute(
            "INSERT INTO chapters (number, start, end, title) VALUES (?, 0, 4, ?)", chapter
        )
        add_video(connection, number, f"{number}.mp4")
    add(connection, 4, ["hello"], title="how to fold and press a shirt")
    query = Query.parse("shirt")
    assert {one.number for one in rank(connection, query)} == {1, 2}
    assert [one.number for one in rank(connection, query, among={3})] == [3]
    assert [one.number for one in rank(connection, query, among={4})] == [4]


@settings(max_examples=200, deadline=None)
@given(st.text(min_size=1).filter(str.strip))
def test_any_string_is_a_query(text: str) -> None:
    for one in rank(CONNECTION, Query.parse(text)):
        assert 0 <= one.score <= 1


CONNECTION = library_of("fold the shirt", 'he said "NEAR" OR AND', "caption : x * ^ {y} -z + 衬衫")
