"""Pairs of a library: made once, made again where the narration changed, and kept apart by how."""

from collections.abc import Callable
from pathlib import Path

import pytest

from howto.clip import stage
from howto.clip.grow import GrowClipper
from howto.clip.growing import grow
from howto.clip.pairs import MOST_CANDIDATES, Pair, PairOptions, make_pairs
from howto.clip.pairs_store import StoredSet, count_pairs, pair_sets, read_pairs
from howto.clip.stage import clip_videos, plan
from howto.clip.words import PAPER, words
from howto.errors import MediaError, Reason, UnknownPlugin, UsageError
from howto.library import Library
from howto.recipe import Recipe
from howto.records import Clip, Kind, Line, Narration, Stage, State, Video
from howto.search.refresh import refresh

LINES = (
    Line(0, 2, "So hello and welcome"),
    Line(2, 4, "um you know"),
    Line(4, 7, "now fold the left sleeve"),
    Line(7, 9, "and then press it with the iron"),
)
NARRATION = Narration(LINES, "en", Kind.MANUAL, "x")
VIDEO = Video("v", Path("v.mp4"))


@pytest.fixture
def library(videos: Path):
    with Library.open(videos) as opened:
        refresh(opened)
        yield opened


def stored(library: Library, options: PairOptions) -> list[tuple[str, float, float, str]]:
    pairs = read_pairs(library, options.recipe())
    return [(one.video, one.pair.start, one.pair.end, one.pair.caption) for one in pairs]


# --- one video ---


def test_pairs_are_the_clippers_clips_with_their_lines() -> None:
    pairs = make_pairs(NARRATION, VIDEO, PairOptions())
    grown = grow(*zip(*((one.start, one.end, one.text) for one in LINES), strict=True))
    assert [(one.start, one.end, one.caption) for one in pairs] == [
        (one.start, one.end, one.text) for one in sorted(grown, key=lambda clip: clip.start)
    ]
    for pair in pairs:
        held = [word for line in LINES[pair.first : pair.last + 1] for word in words(line.text)]
        assert sorted(words(pair.caption)) == sorted(held)


def test_paper_words_go_before_lines_grow() -> None:
    """A line of stop words alone is no line of the published file; indices stay the narration's."""
    pairs = make_pairs(NARRATION, VIDEO, PairOptions("lines", words="paper"))
    assert [(one.first, one.caption) for one in pairs] == [
        (0, "hello"),
        (2, "fold left sleeve"),
        (3, "press iron"),
    ]
    grown = make_pairs(NARRATION, VIDEO, PairOptions(words="paper"))
    assert grown[0].caption == "hello fold left sleeve"
    assert (grown[0].first, grown[0].last) == (0, 2)


def test_paper_words_leave_sentences_whole() -> None:
    narration = Narration((Line(0, 9, "Fold it now. Then press it."),), "en", Kind.MANUAL, "x")
    pairs = make_pairs(narration, VIDEO, PairOptions("sentences", words="paper"))
    assert [one.caption for one in pairs] == ["Fold", "press"]


def test_candidates_come_with_widened_clips() -> None:
    pairs = make_pairs(NARRATION, VIDEO, PairOptions(num_candidates=2))
    third = pairs[2]
    assert (third.start, third.end) == (3, 8)  # 4 .. 7 about its centre
    assert third.candidates == (LINES[2].text, LINES[3].text)
    assert (third.first, third.last) == (2, 3)
    assert third.quality == max(pairs[2].quality or 0, pairs[3].quality or 0)
    assert pairs[3].candidates == (LINES[3].text, LINES[2].text)
    six = make_pairs(NARRATION, VIDEO, PairOptions(num_candidates=6))
    assert all(len(one.candidates) == 6 for one in six)
    # Four lines: the one at the end that is reached second repeats, as in the published loader.
    texts = [line.text for line in LINES]
    assert six[3].candidates == (texts[3], texts[0], texts[0], *texts[:3])
    assert (six[3].first, six[3].last) == (0, 3)
    assert six[0].candidates == (*texts, texts[3], texts[3])


def test_min_seconds_widens_candidates_and_grows_others() -> None:
    wide = make_pairs(NARRATION, VIDEO, PairOptions(num_candidates=1, min_seconds=7.0))
    assert (wide[2].start, wide[2].end) == (2, 9)
    short = make_pairs(NARRATION, VIDEO, PairOptions(min_seconds=1.0))
    assert [one.caption for one in short] == [line.text for line in LINES]


def test_windows_where_nothing_is_said_are_no_pairs() -> None:
    narration = Narration((Line(25, 27, "fold"),), "en", Kind.MANUAL, "x")
    [pair] = make_pairs(narration, VIDEO, PairOptions("windows"))
    assert (pair.start, pair.end, pair.caption) == (20, 27, "fold")


def test_drop_below() -> None:
    every = make_pairs(NARRATION, VIDEO, PairOptions("lines"))
    kept = make_pairs(NARRATION, VIDEO, PairOptions("lines", drop_below=0.5))
    assert [one.caption for one in kept] == [LINES[2].text, LINES[3].text]
    assert kept == [one for one in every if (one.quality or 0) >= 0.5]
    for one in every:
        at_it = make_pairs(NARRATION, VIDEO, PairOptions("lines", drop_below=one.quality or 0.0))
        assert one in at_it  # what has just that quality is not below it


def test_other_languages_have_no_quality_and_are_never_dropped() -> None:
    narration = Narration((Line(0, 6, "plie la manche"),), "fr-CA", Kind.MANUAL, "x")
    [pair] = make_pairs(narration, VIDEO, PairOptions(drop_below=0.9))
    assert pair.quality is None


def test_a_strangers_clipper_says_nothing_of_lines() -> None:
    class Third:
        name = "third"

        def pairs(self, narration: Narration, video: Video) -> list[Clip]:
            return [Clip("v", 3.0, 9.0, "fold press"), Clip("v", 30.0, 40.0, "press")]

    pairs = make_pairs(NARRATION, VIDEO, PairOptions("lines"), Third())
    assert [(one.first, one.last) for one in pairs] == [(1, 3), (3, 3)]


@pytest.mark.parametrize(
    "options",
    [
        {"words": "some"},
        {"drop_below": 1.5},
        {"drop_below": float("nan")},
        {"num_candidates": 0},
        {"num_candidates": MOST_CANDIDATES + 1},
        {"min_seconds": float("inf")},
        {"min_seconds": -1.0},
        {"min_seconds": float("nan")},
    ],
)
def test_options_that_mean_nothing(options: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        PairOptions(**options)  # type: ignore[arg-type]


def test_a_clipper_that_does_not_take_an_option() -> None:
    with pytest.raises(UsageError, match=r"clipper 'lines'.*min_words"):
        PairOptions("lines", min_words=3).recipe()
    with pytest.raises(UnknownPlugin, match="Did you mean 'lines'"):
        PairOptions("line").recipe()


def test_recipes_tell_apart_what_differs() -> None:
    options = [
        PairOptions(),
        PairOptions("lines"),
        PairOptions(min_seconds=6.0),
        PairOptions(min_words=3),
        PairOptions(words="paper"),
        PairOptions(drop_below=0.1),
        PairOptions(num_candidates=3),
        PairOptions(num_candidates=4),
        PairOptions(num_candidates=4, min_seconds=6.0),
    ]
    assert len({one.recipe().text for one in options}) == len(options)
    assert PairOptions(min_seconds=5.0).recipe() == PairOptions("grow").recipe()


# --- a library ---


def test_pairs_are_made_and_kept(library: Library) -> None:
    options = PairOptions("lines")
    done = clip_videos(library, options)
    assert (done.made, done.unchanged, done.pairs) == (2, 0, 6)
    assert dict(done.tally) == {"ok": 2, "no_narration": 1}
    assert stored(library, options)[0] == (
        "pancakes.mp4",
        2.0,
        5.0,
        "Pour the batter into the pan",
    )
    outcomes = [one for one in library.outcomes() if one.stage == Stage.CLIP]
    assert [(one.paths[0], one.state, one.reason) for one in outcomes] == [
        ("pancakes.mp4", State.OK, None),
        ("shirts/fold.mp4", State.OK, None),
        ("silent.mp4", State.SKIPPED, Reason.NO_NARRATION),
    ]


def test_a_second_run_does_nothing(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    clip_videos(library, PairOptions())
    before = stored(library, PairOptions())

    def never(*_: object) -> list[Clip]:
        raise AssertionError("asked again")

    monkeypatch.setattr(GrowClipper, "pairs", never)
    again = clip_videos(library, PairOptions())
    assert (again.made, again.unchanged, again.pairs) == (0, 2, len(before))
    assert stored(library, PairOptions()) == before
    assert not plan(library, PairOptions()).to_do
    with pytest.raises(AssertionError, match="asked again"):
        clip_videos(library, PairOptions(min_seconds=6.0))


def test_a_changed_narration_is_clipped_again(library: Library, videos: Path) -> None:
    clip_videos(library, PairOptions("lines"))
    (videos / "pancakes.srt").write_text("1\n00:00:01,000 --> 00:00:03,000\nCrack an egg\n")
    refresh(library)
    again = clip_videos(library, PairOptions("lines"))
    assert (again.made, again.unchanged) == (1, 1)
    assert stored(library, PairOptions("lines"))[0] == ("pancakes.mp4", 1.0, 3.0, "Crack an egg")


def test_a_narration_that_is_gone_takes_its_pairs_along(library: Library, videos: Path) -> None:
    clip_videos(library, PairOptions("lines"))
    (videos / "pancakes.srt").unlink()
    refresh(library)
    assert clip_videos(library, PairOptions("lines")).pairs == 4


def test_sets_stand_side_by_side(library: Library) -> None:
    clip_videos(library, PairOptions("lines"))
    lines = stored(library, PairOptions("lines"))
    clip_videos(library, PairOptions())
    assert stored(library, PairOptions("lines")) == lines
    found = pair_sets(library).values()
    assert [recipe.parts["clipper"]["name"] for recipe in found] == ["lines", "grow"]


def test_candidates_come_back_as_they_were(library: Library) -> None:
    options = PairOptions(num_candidates=3)
    clip_videos(library, options)
    one = list(read_pairs(library, options.recipe()))[2]
    assert one.pair.caption == one.pair.candidates[0] == "hello and welcome back"
    assert len(one.pair.candidates) == 3


def test_only_and_limit(library: Library) -> None:
    assert clip_videos(library, PairOptions(), only="shirts/*").made == 1
    assert clip_videos(library, PairOptions(), limit=0).made == 0
    assert clip_videos(library, PairOptions(), limit=5).made == 1


def test_a_killed_run_goes_on(library: Library) -> None:
    def stop(done: int, total: int, path: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        clip_videos(library, PairOptions(), on_progress=stop)
    assert clip_videos(library, PairOptions()).made == 1


def test_a_video_that_cannot_be_watched_costs_itself_only(
    library: Library, videos: Path, small_video: Callable[..., Path]
) -> None:
    """Its file is damaged after it was probed, so that the clipper is the first to see it."""
    (videos / "pancakes.mp4").write_bytes(b"no video any more")
    done = clip_videos(library, PairOptions("shots"), workers=2)
    assert dict(done.tally) == {"ok": 1, "not_media": 1, "no_narration": 1}
    assert {one.video for one in read_pairs(library, done.recipe)} == {"shirts/fold.mp4"}
    assert clip_videos(library, PairOptions("shots"), workers=1).made == 0


def test_captions_with_line_breaks_and_half_characters(library: Library) -> None:
    recipe = Recipe.of(candidates=2)
    store = StoredSet(library, recipe)
    pair = Pair(0.0, 1.0, "a\nb \ud83d", 0, 0, None, ("a\nb \ud83d", "c"))
    number = next(iter(library.paths()))
    with library.writing():
        store.put(number, [pair], "x")
    [back] = read_pairs(library, recipe)
    assert back.pair.candidates == ("a b ?", "c")
    assert count_pairs(library, recipe, {number}) == 1
    assert count_pairs(library, recipe, set()) == 0


def test_the_papers_words_are_the_option_set() -> None:
    assert PairOptions(words="paper").word_options is PAPER


def test_a_video_that_fails_keeps_no_pairs_of_an_older_narration(
    library: Library, videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = PairOptions("lines")
    clip_videos(library, options)
    (videos / "pancakes.srt").write_text("1\n00:00:02,000 --> 00:00:05,000\nToss the pancake\n")
    refresh(library)

    def fails(*_: object) -> list[Pair]:
        raise MediaError(Reason.NO_FRAMES)

    monkeypatch.setattr(stage, "make_pairs", fails)
    clipped = clip_videos(library, options)
    assert clipped.tally == {"no_narration": 1, "no_frames": 1}
    assert {video for video, *_ in stored(library, options)} == {"shirts/fold.mp4"}
    assert clipped.pairs == len(stored(library, options)) == 4
