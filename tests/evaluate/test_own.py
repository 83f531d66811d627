"""The evaluation of a library's own videos, with a model that sees what it is told."""

import csv
import json
import shutil
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from howto.errors import UsageError
from howto.evaluate.best_signals import Choice, best_signals, chosen, keep_chosen
from howto.evaluate.moments import Span
from howto.evaluate.own import evaluate_own
from howto.evaluate.own_result import OwnResult, SignalSet
from howto.evaluate.own_split import Split, askable, share_of
from howto.evaluate.truth import KnownVideo, OwnQuery, known_videos
from howto.joint.trained import Selected
from howto.library import Library
from howto.media.encode import H264Writer
from howto.search.choice import remembered
from howto.search.refresh import refresh
from howto.search.words import Candidate
from howto.train.config import TrainOptions
from howto.train.validate import stable_share
from tests.evaluate.own_models import SeeingModel

WORDS = SignalSet(("words",))
SHOWN = ("bee", "cat", "dog", "elk", "fox", "gnu", "hen", "owl", "pig", "ram", "sow", "yak")
LINES = 4  # of each video, 5 s each


def write_video(path: Path, seed: int, *, half: bool = False, crf: int = 20) -> None:
    """A video of 20 s in which four pictures of random blocks are shown; `half`: smaller."""
    blocks = np.random.default_rng(seed).integers(0, 256, (LINES, 6, 8, 3), np.uint8)
    size = 10 if half else 20
    with H264Writer(
        path,
        width=8 * size,
        height=6 * size,
        frame_rate=Fraction(1),
        sample_rate=None,
        crf=crf,
    ) as writer:
        for block in blocks:
            for _ in range(5):
                writer.write_frame(np.kron(block, np.ones((size, size, 1), np.uint8)))


def write_lines(video: Path, lines: list[str]) -> None:
    cues = [
        f"00:{5 * n:02}.000 --> 00:{5 * n + 4:02}.000\n{text}\n" for n, text in enumerate(lines)
    ]
    video.with_suffix(".vtt").write_text("\n".join(["WEBVTT\n", *cues]))


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve videos of an animal each, the names of the first six of which are said; and a smaller
    copy of the first."""
    folder = tmp_path_factory.mktemp("own") / "farm"
    folder.mkdir()
    for number, animal in enumerate(SHOWN):
        path = folder / f"v{number:02}.mp4"
        write_video(path, number)
        said = f"here is the {animal}" if number < 6 else "look at this"
        write_lines(path, ["welcome", said, "look again", "bye for now"])
    write_video(folder / "copy.mp4", 0, half=True, crf=32)
    with Library.open(folder) as library:
        refresh(library)
    return folder


@pytest.fixture
def library(farm: Path) -> Iterator[Library]:
    with Library.open(farm) as opened:
        yield opened


@pytest.fixture
def ids(library: Library) -> dict[str, str]:
    return {video.paths[0]: video.video_id for video in known_videos(library).values()}


@pytest.fixture
def queries(tmp_path: Path) -> Path:
    """Each animal is asked for where it is shown: from second 5 to 9."""
    path = tmp_path / "queries.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["query", "video", "start", "end", "kind"])
        for number, animal in enumerate(SHOWN):
            kind = "said" if number < 6 else "seen"
            writer.writerow([f"an {animal}", f"v{number:02}.mp4", 5, 9, kind])
    return path


def seeing(
    ids: dict[str, str], animals: tuple[str, ...] = SHOWN, name: str = "sharp", **more: object
) -> SeeingModel:
    """A model that sees these animals, where they are shown."""
    shown = {ids[f"v{SHOWN.index(animal):02}.mp4"]: animal for animal in animals}

    def sees(video_id: str, start: float, end: float) -> str:
        return shown.get(video_id, "") if 4 < (start + end) / 2 < 10 else ""

    return SeeingModel(name, SHOWN, sees, **more)


def recalls(result: OwnResult, signals: SignalSet, part: int = 0) -> dict[str, float]:
    scores = result.parts[part].of(signals).scores
    return {
        f"{name} R@{k}": found.recall.value
        for name, by_k in scores.found.items()
        for k, found in by_k.items()
    }


def test_words_find_what_is_said_and_a_model_what_is_shown(
    library: Library, ids: dict[str, str], queries: Path
) -> None:
    model = seeing(ids)
    result = evaluate_own(library, [model], queries=queries, captions=False)
    assert len(result.videos) == 13
    assert recalls(result, WORDS)["IoU 0.7 R@1"] == 0.5
    words = result.parts[0].of(WORDS)
    assert words.by_kind["said"].found["centre"][1].recall.value == 1
    assert words.by_kind["seen"].found["centre"][1].recall.value == 0
    # A video and its copy are one group.
    assert {len(groups) for groups in words.by_kind["said"].groups} == {1}
    assert recalls(result, SignalSet(("pictures",), "sharp"))["IoU 0.7 R@1"] == 1
    both = result.parts[0].of(SignalSet(("words", "pictures"), "sharp"))
    assert both.scores.found["IoU 0.7"][1].recall.value == 1
    assert both.over_words is not None
    assert (both.over_words.value, both.over_words.excludes_zero) == (0.5, True)
    assert words.over_words is None
    assert words.hits[0][0] == Span(ids["v00.mp4"], 5, 9)


def test_the_result_is_json_a_table_and_rows(
    library: Library, ids: dict[str, str], queries: Path
) -> None:
    result = evaluate_own(library, [seeing(ids)], queries=queries)
    told = json.loads(json.dumps(result.as_json()))
    assert [part["truth"] for part in told["parts"]] == ["queries", "captions"]
    assert told["parts"][0]["kinds"] == {"said": 6, "seen": 6}
    first = told["parts"][0]["results"][0]
    assert first["signals"] == ["words"]
    assert first["R@5"]["centre"]["value"] == 0.5
    header, rows = result.table()
    assert {len(row) for row in rows} == {len(header)}
    assert rows[0][0] == "6 said, 6 seen"
    assert rows[1][:4] == ("words", "R@1", "50% (25-75)", "50% (25-75)")
    per_query = result.per_query()
    assert per_query[0]["query"] == "an bee"
    assert (per_query[0]["video"], per_query[0]["centre R@1"]) == ("v00.mp4", 1)
    assert per_query[11]["video"] == ""
    assert len({tuple(row) for row in per_query}) == 1


def test_captions_are_asked_for_by_pictures_alone(
    library: Library, ids: dict[str, str], queries: Path
) -> None:
    result = evaluate_own(library, [seeing(ids)], queries=queries)
    captions = result.parts[1]
    assert [one.signals for one in captions.results] == [SignalSet(("pictures",), "sharp")]
    texts = [query.text for query in captions.queries]
    assert "here is the bee" in texts
    # One line that several videos have is one query of as many moments.
    assert len(texts) == len(set(texts))
    found = dict(zip(texts, captions.results[0].scores.found["centre"][1].right, strict=True))
    assert found["here is the bee"] == 1
    assert found["welcome"] == 0
    assert len(evaluate_own(library, queries=queries).parts) == 1


def test_videos_a_model_was_trained_on_and_their_copies_are_left_out(
    library: Library, ids: dict[str, str], queries: Path
) -> None:
    trained = frozenset({ids["v00.mp4"], ids["v03.mp4"], "not of this library"})
    model = seeing(ids, kind="run", trained_on=trained, trained_on_note="perhaps more")
    result = evaluate_own(library, [model], queries=queries, captions=False)
    assert (result.trained_on, result.alike, result.queries_left_out) == (2, 1, 2)
    left = {video.paths[0] for video in result.videos.values()}
    assert not left & {"v00.mp4", "v03.mp4", "copy.mp4"}
    assert len(left) == 10
    assert result.notes[0] == "sharp: perhaps more"
    assert result.notes[1].startswith("sharp: 1 video that it was trained on cannot be looked at")
    assert len(result.notes) == 2
    for one in result.parts[0].results:
        assert len(one.hits) == 10
        assert not {span.video for hits in one.hits for span in hits} & trained
    everywhere = seeing(ids, kind="run", trained_on=frozenset(ids.values()))
    with pytest.raises(UsageError, match="13 trained a model"):
        evaluate_own(library, [everywhere], queries=queries)


@pytest.mark.parametrize("trained", ["AAAAAAAAAAA", "youtube-AAAAAAAAAAA"])
@pytest.mark.parametrize("here", ["AAAAAAAAAAA", "youtube-AAAAAAAAAAA"])
def test_a_video_is_the_same_by_each_of_its_names(
    farm: Path, tmp_path: Path, queries: Path, trained: str, here: str
) -> None:
    folder = tmp_path / "farm"
    shutil.copytree(farm, folder)
    with Library.open(folder) as library:
        ids = {video.paths[0]: video.video_id for video in known_videos(library).values()}
        with library.writing() as connection:
            connection.execute(
                "UPDATE videos SET video_id = ? WHERE video_id = ?", (here, ids["v00.mp4"])
            )
        model = seeing(ids, kind="run", trained_on=frozenset({trained}))
        result = evaluate_own(library, [model], queries=queries, captions=False)
    assert (result.trained_on, result.alike, result.queries_left_out) == (1, 1, 1)
    assert not {video.paths[0] for video in result.videos.values()} & {"v00.mp4", "copy.mp4"}
    assert result.notes == ()


def test_videos_that_chose_the_checkpoint_are_told(
    library: Library, ids: dict[str, str], queries: Path
) -> None:
    trained = frozenset({ids["v00.mp4"]})
    by = frozenset({ids["v01.mp4"], ids["v02.mp4"], "gone", ids["v00.mp4"]})
    run = seeing(ids, kind="run", trained_on=trained, selected=Selected("step-00000040", by))
    result = evaluate_own(library, [run], queries=queries, captions=False)
    (note,) = result.notes
    assert note.startswith("sharp: its checkpoint step-00000040 was chosen as the best on held-out")
    assert "2 of the 11 searched here" in note
    others = seeing(ids, kind="run", selected=Selected("step-00000040", frozenset({"gone"})))
    assert evaluate_own(library, [others], queries=queries, captions=False).notes == ()


def test_who_finds_a_copy_has_found_the_moment(
    library: Library, ids: dict[str, str], queries: Path
) -> None:
    rows = queries.read_text().splitlines()
    # Asked for are the copy, in the part where it is shown, and the whole of it.
    end = known_videos(library)[ids["copy.mp4"]].duration
    asked = ["an bee,copy.mp4,5,9,", f"the bee,copy.mp4,0,{end},"]
    queries.write_text("\n".join([rows[0], *asked, *rows[2:]]))
    result = evaluate_own(library, [seeing(ids)], queries=queries)
    words = result.parts[0].of(WORDS)
    # The copy has no lines: the words find the video that it was made of.
    assert [hits[0].video for hits in words.hits[:2]] == [ids["v00.mp4"]] * 2
    assert words.scores.found["IoU 0.7"][1].right[:2].tolist() == [1, 0]
    assert words.scores.found["centre"][1].right[:2].tolist() == [1, 1]
    bee = result.parts[0].queries[0]
    assert set(bee.truths) == {Span(ids["copy.mp4"], 5, 9), Span(ids["v00.mp4"], 5, 9)}
    # Chance counts both places; intervals take them as one.
    assert all(len(groups) == 1 for groups in words.scores.groups)
    assert result.as_json()["parts"][0]["results"][0]["groups_of_videos"] == 12
    lines = {query.text: query for query in result.parts[1].queries}
    assert {truth.video for truth in lines["here is the bee"].truths} == {
        ids["v00.mp4"],
        ids["copy.mp4"],
    }


def test_copies_of_other_lengths_have_the_moments_that_they_hold() -> None:
    used = {
        name: KnownVideo(name, number, (name,), length)
        for number, (name, length) in enumerate(
            {"a": 100.0, "longer": 101.5, "short": 99.0}.items()
        )
    }
    split = Split(used, dict.fromkeys(used, "a"), 0, 0, 0, ())
    whole, middle, last = Span("a", 0, 100), Span("a", 40, 60), Span("a", 99.2, 99.8)
    asked = [OwnQuery("x", "query", (one,)) for one in (whole, middle, last)]
    elsewhere = OwnQuery("y", "query", (Span("trained on", 1, 2),))
    found, left_out = askable([*asked, elsewhere], split)
    assert [query.truths for query in found] == [
        (whole, Span("longer", 0, 101.5), Span("short", 0, 99)),
        (middle, Span("longer", 40, 60), Span("short", 40, 60)),
        (last, Span("longer", 99.2, 99.8)),
    ]
    assert left_out == 1


def test_what_could_not_be_compared_is_told(farm: Path, tmp_path: Path, queries: Path) -> None:
    folder = tmp_path / "farm"
    shutil.copytree(farm, folder)
    with Library.open(folder) as library:
        (library.state / "frame-hashes.db").unlink(missing_ok=True)
        (folder / "v03.mp4").rename(tmp_path / "away.mp4")
        (note,) = evaluate_own(library, queries=queries).notes
    assert note.startswith("1 video could not be compared with the others by pictures, such as v03")
    assert note.endswith("the next evaluation tries again")


def test_too_many_names_and_lines_are_drawn(
    library: Library, ids: dict[str, str], queries: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = len(evaluate_own(library, [seeing(ids)]).parts[0].queries)
    monkeypatch.setattr("howto.evaluate.own.MOST_CAPTIONS", 5)
    monkeypatch.setattr("howto.evaluate.own.MOST_NAMES", 4)
    asked = evaluate_own(library, [seeing(ids)], queries=queries)
    assert [len(part.queries) for part in asked.parts] == [12, 5]
    (note,) = asked.notes
    assert note == f"5 of {there} lines of narration are asked for, drawn by a stable hash"
    again = evaluate_own(library, [seeing(ids)], queries=queries)
    assert again.parts[1].queries == asked.parts[1].queries
    with library.writing() as connection:
        connection.execute("UPDATE videos SET title = 'knit ' || number")
    try:
        named = evaluate_own(library)
    finally:
        with library.writing() as connection:
            connection.execute("UPDATE videos SET title = ''")
    assert [query.kind for query in named.parts[0].queries] == ["title"] * 4
    assert named.notes == ("4 of 13 names are asked for, drawn by a stable hash",)


def test_held_out_is_the_part_that_training_holds_out(
    library: Library, ids: dict[str, str], queries: Path
) -> None:
    assert share_of("held-out") == TrainOptions(backbone=("x",)).held_out
    assert share_of("all") == share_of(None) == 1
    with pytest.raises(UsageError, match="no split 'half'; expected all or held-out"):
        share_of("half")
    # Of few videos the two lowest, as in training; copies count as one.
    drawn = set(evaluate_own(library, queries=queries, share=0.001).videos)
    pair = {ids["v00.mp4"], ids["copy.mp4"]}
    shares = {
        frozenset(pair if one in pair else {one}): one for one in sorted(ids.values(), reverse=True)
    }
    lowest = sorted(shares, key=lambda group: stable_share(shares[group]))
    assert drawn == lowest[0] | lowest[1]


def test_copies_lie_on_one_side_whatever_the_share(
    library: Library, ids: dict[str, str], queries: Path
) -> None:
    pair = [ids["v00.mp4"], ids["copy.mp4"]]
    low, high = sorted(stable_share(one) for one in pair)
    # Between the hashes of both, where each for itself would be told apart.
    used = set(evaluate_own(library, queries=queries, share=(low + high) / 2).videos)
    assert len(used & set(pair)) in (0, 2)
    assert (min(pair) in used) == (stable_share(min(pair)) == low)


def test_a_share_is_stable_and_keeps_copies_together(
    library: Library, ids: dict[str, str], queries: Path
) -> None:
    shares = {
        share: evaluate_own(library, queries=queries, share=share) for share in (0.5, 0.8, 1.0)
    }
    drawn = {share: set(result.videos) for share, result in shares.items()}
    assert drawn[0.5] < drawn[0.8] < drawn[1.0]
    assert shares[0.5].not_drawn == 13 - len(drawn[0.5])
    for videos in drawn.values():
        assert (ids["v00.mp4"] in videos) == (ids["copy.mp4"] in videos)
    for share in (0, 1.5):
        with pytest.raises(UsageError, match="share"):
            evaluate_own(library, queries=queries, share=share)


def test_what_a_model_cannot_see_is_said(
    library: Library, ids: dict[str, str], queries: Path
) -> None:
    model = seeing(ids, name="half blind", blind_to=frozenset({ids["v05.mp4"], ids["v06.mp4"]}))
    result = evaluate_own(library, [model], queries=queries, captions=False)
    assert recalls(result, SignalSet(("pictures",), "half blind"))["centre R@1"] == 10 / 12
    assert result.notes[0].startswith("2 of 13 videos have no features for half blind")


def test_a_title_does_not_find_itself(
    tmp_path: Path, small_video: Callable[..., Path], queries: Path
) -> None:
    for number, title in enumerate(("fold a shirt", "bake bread")):
        path = small_video(tmp_path / f"{title.replace(' ', '-')}.mp4", shade=number)
        path.with_suffix(".info.json").write_text(json.dumps({"title": title}))
        write_lines(path, ["hello", "now we fold it" if number == 0 else "now we wait"])
    with Library.open(tmp_path) as library:
        refresh(library)
        result = evaluate_own(library)
        assert result.parts[0].truth == "names"
        # The bread, which nobody names, is not found; the shirt is, by what is said.
        assert [query.text for query in result.parts[0].queries] == ["bake bread", "fold a shirt"]
        assert result.parts[0].results[0].scores.found["video"][1].right.tolist() == [0, 1]
        # A person's own query may find a title.
        queries.write_text("query,video,start,end\nbake bread,bake-bread.mp4,0,20\n")
        found = evaluate_own(library, queries=queries)
        assert recalls(found, WORDS)["video R@1"] == 1


def test_nothing_to_ask_for_is_said(tmp_path: Path, small_video: Callable[..., Path]) -> None:
    with Library.open(tmp_path) as library:
        with pytest.raises(UsageError, match="no video"):
            evaluate_own(library)
        small_video(tmp_path / "a.mp4")
        refresh(library)
        with pytest.raises(UsageError, match="--queries FILE"):
            evaluate_own(library)


@dataclass(frozen=True)
class SaysTheSame:
    """A stand-in for the meaning signal: every query means the line in the middle of a video."""

    number: int

    @property
    def signal(self) -> "SaysTheSame":
        return self

    def embed(self, query: str) -> str:
        return query

    def rank(self, library: Library, query: str, *, video_ids: Collection[str]) -> list[Candidate]:
        (row,) = library.connection.execute(
            "SELECT clip, start, end, caption FROM clips WHERE number = ? AND start = 5",
            (self.number,),
        )
        clip, start, end, caption = row
        return [Candidate(self.number, start, end, caption, clip, 0.9, ("meaning",))]


def test_meaning_is_asked_where_it_is_wanted(
    library: Library, ids: dict[str, str], queries: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = library.numbers([ids["v09.mp4"]])[ids["v09.mp4"]]
    monkeypatch.setattr("howto.search.meaning.open_meaning", lambda *_, **__: SaysTheSame(number))
    models = [seeing(ids, (), "asleep")]
    result = evaluate_own(library, models, queries=queries, meaning=True, captions=False)
    assert [str(one.signals) for one in result.parts[0].results] == [
        "words",
        "meaning",
        "words + meaning",
        "pictures (asleep)",
        "words + pictures (asleep)",
        "words + meaning + pictures (asleep)",
    ]
    assert recalls(result, SignalSet(("meaning",)))["IoU 0.7 R@1"] == 1 / 12
    assert recalls(result, SignalSet(("words", "meaning")))["IoU 0.7 R@5"] == 7 / 12
    # What takes seconds to load is never chosen for plain searches.
    assert chosen(result, models).signals == ("words",)


# --- which signals are best ---


def test_pictures_that_find_clearly_more_are_taken(
    library: Library, ids: dict[str, str], queries: Path
) -> None:
    model = seeing(ids)
    choice = best_signals(library, [model], queries=queries)
    assert choice.measured
    assert choice.model == "sharp"
    assert "pictures" in choice.signals
    assert "12 queries (said, seen)" in choice.reason
    assert "100%" in choice.reason
    assert "words alone 50%" in choice.reason
    kept = remembered(library)
    assert kept is not None
    assert (kept.signals, kept.model, kept.why) == (choice.signals, "sharp", choice.reason)
    assert kept.recipe == model.recipe.short


def test_pictures_that_find_little_are_not(
    library: Library, ids: dict[str, str], queries: Path
) -> None:
    choice = best_signals(library, [seeing(ids, SHOWN[5:7], "dull")], queries=queries)
    assert (choice.signals, choice.model, choice.measured) == (("words",), None, True)
    assert "not clearly more" in choice.reason


def test_a_run_is_taken_only_if_it_clearly_beats_the_ready_models(
    library: Library, ids: dict[str, str], queries: Path
) -> None:
    ready = seeing(ids, SHOWN[1:], "ready")
    run = seeing(ids, SHOWN, "run", kind="run")
    assert best_signals(library, [run, ready], queries=queries).model == "ready"
    weak = seeing(ids, SHOWN[6:8], "weak")
    assert best_signals(library, [weak, run], queries=queries).model == "run"


def test_lines_judge_models_where_nothing_else_does(library: Library, ids: dict[str, str]) -> None:
    sharp = best_signals(library, [seeing(ids, name="by lines")])
    assert (sharp.signals, sharp.model) == (("words", "pictures"), "by lines")
    assert "lines of narration, by pictures alone" in sharp.reason
    blind = best_signals(library, [seeing(ids, (), "blind")])
    assert (blind.signals, blind.measured) == (("words",), True)


def test_without_measure_it_is_words(library: Library, ids: dict[str, str], queries: Path) -> None:
    none = best_signals(library)
    assert (none.signals, none.measured) == (("words",), False)
    measured = best_signals(library, [seeing(ids, name="measured")], queries=queries)
    rows = queries.read_text().splitlines()
    queries.write_text("\n".join(rows[:9]))
    few = best_signals(library, [seeing(ids, name="few")], queries=queries)
    assert (few.signals, few.measured) == (("words",), False)
    assert "of 10 queries needed there are 8" in few.reason
    assert few.told.startswith("what a plain search of this library takes stays as it was")
    queries.write_text("\n".join(rows[:2]))
    one = best_signals(library, [seeing(ids, name="one")], queries=queries)
    assert one.reason.endswith("of 10 queries needed there is 1")
    trained = seeing(ids, kind="run", name="all", trained_on=frozenset(ids.values()))
    spent = best_signals(library, [trained], queries=queries)
    assert (spent.signals, spent.measured) == (("words",), False)
    # What was measured before is still what plain searches take.
    kept = remembered(library)
    assert kept is not None
    assert (kept.model, kept.why) == ("measured", measured.reason)
    assert measured.told == f"a plain search of this library now takes {measured.reason}"


def test_what_was_evaluated_is_what_plain_searches_take(
    library: Library, ids: dict[str, str], queries: Path
) -> None:
    models = [seeing(ids, name="evaluated")]
    result = evaluate_own(library, models, queries=queries)
    choice = keep_chosen(library, result, models, queries=queries)
    assert choice == chosen(result, models)
    kept = remembered(library)
    assert kept is not None
    assert kept.model == "evaluated"
    assert best_signals(library, models, queries=queries) == choice


def test_a_choice_is_kept_until_something_changes(
    library: Library, ids: dict[str, str], queries: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = seeing(ids, name="kept")
    measured = best_signals(library, [model], queries=queries)

    def again(*_: object, **__: object) -> Choice:
        raise UsageError("measured again")

    monkeypatch.setattr("howto.evaluate.best_signals.evaluate_own", again)
    assert best_signals(library, [model], queries=queries) == measured
    queries.write_text(queries.read_text().replace("an bee", "a bee"))
    assert "measured again" in best_signals(library, [model], queries=queries).reason
    others = [model, seeing(ids, name="other")]
    assert "measured again" in best_signals(library, others, queries=queries).reason
