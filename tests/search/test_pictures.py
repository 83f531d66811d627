"""Searching by what is seen, with a model that is worked out by hand."""

import os
import shutil
import struct
import zlib
from collections.abc import Callable
from datetime import UTC, date, datetime
from fractions import Fraction
from pathlib import Path

import pytest
from filelock import FileLock
from rich.console import Console

from howto.errors import LibraryBusy, UsageError
from howto.library import Library
from howto.media.pictures import read_picture
from howto.records import FrameSpec
from howto.search.calibrate import CONFIDENT
from howto.search.choice import SignalChoice, remember
from howto.search.filters import Filters
from howto.search.index.manifest import index_folder, read_manifest
from howto.search.index.writer import IndexWriter
from howto.search.like import parse_like
from howto.search.pictures import Pictures, models_in_use, open_pictures
from howto.search.query import Query
from howto.search.refresh import refresh
from howto.search.search import Answer, ask, search
from howto.search.signals import Chosen, Opened, as_measured, choose_signals
from howto.serve.answers import Search, answer
from howto.serve.settings import Settings


def find(query: str, videos: Path, **options) -> Answer:
    return search(query, videos, **{"by": ("pictures",), "model": "main", **options})


def kept_pictures(opened: Opened, library: Library) -> Pictures:
    return opened.pictures(library, opened.models.opened(library, "main"))


def test_what_is_shown_is_found_where_nobody_says_it(seen, videos: Path) -> None:
    seen()
    answer = find("shirt", videos)
    best = answer.hits[0]
    assert best.video == "silent.mp4"
    assert best.start <= 10 <= 14 <= best.end
    assert (best.caption, best.matched, best.ranks) == ("", ("pictures",), {"pictures": 1})
    assert best.start <= best.at <= best.end
    assert (answer.signals, answer.model) == (("pictures",), "main")


def test_words_and_pictures_together_with_the_rank_of_each(seen, videos: Path) -> None:
    seen()
    answer = find("pan", videos, by=("words", "pictures"))
    best = answer.hits[0]
    assert best.video == "pancakes.mp4"
    assert best.ranks == {"words": 1, "pictures": best.ranks["pictures"]}
    assert {"narration", "pictures"} <= set(best.matched)
    assert answer.confident


def test_a_word_that_the_model_does_not_know_is_no_guess(seen, videos: Path) -> None:
    seen()
    answer = find("submarine", videos)
    assert answer.hits == ()
    assert "main knows no word of 'submarine': pictures did not rank" in answer.notes
    assert (answer.signals, answer.model) == ((), None)
    assert not any("are rough" in note for note in answer.notes)


def test_the_second_search_embeds_nothing(seen, videos: Path) -> None:
    model = seen()
    first = find("shirt", videos)
    assert len(model.embedded) == 3
    assert find("shirt", videos).hits == first.hits
    assert len(model.embedded) == 3


def test_new_changed_and_removed_videos(seen, videos: Path) -> None:
    model = seen()
    find("shirt", videos)
    (videos / "pancakes.srt").write_text("1\n00:00:01,000 --> 00:00:03,000\nhello\n")
    (videos / "silent.mp4").unlink()
    answer = find("pan", videos)
    assert len(model.embedded) == 4  # the pancakes alone, whose lines are others
    assert answer.hits[0].video == "pancakes.mp4"
    assert all(hit.video != "silent.mp4" for hit in find("shirt", videos).hits)


def test_an_index_of_another_state_is_made_anew_and_that_is_said(seen, videos: Path) -> None:
    seen()
    find("shirt", videos)
    model = seen(version=2)
    answer = find("shirt", videos)
    assert len(model.embedded) == 3
    (said,) = [note for note in answer.notes if "was made anew" in note]
    assert "version: 1 | 2" in said


def test_a_model_kept_open_is_opened_anew_when_its_run_has_learned_more(
    seen, library: Library
) -> None:
    opened = Opened()
    make_run(library, "main")
    old = seen()
    assert kept_pictures(opened, library).model is old
    new = seen(version=2)
    assert kept_pictures(opened, library).model is old
    make_run(library, "main", checkpoint="2")
    brought = kept_pictures(opened, library)
    assert brought.model is new
    assert "version: 1 | 2" in brought.signal.brought.renewed
    assert kept_pictures(opened, library).signal.brought.renewed == ""


def test_the_null_is_measured_again_when_what_is_shown_was_replaced(
    seen, library: Library, monkeypatch
) -> None:
    measured = []

    def measure(*_) -> None:
        measured.append(1)

    monkeypatch.setattr("howto.search.calibrate.measure_null", measure)
    model = seen()
    open_pictures(library, "main", model=model)
    open_pictures(library, "main", model=model)
    assert len(measured) == 1
    path = library.folder / "pancakes.srt"
    path.write_text(path.read_text().replace("pan", "pot"))
    refresh(library)
    open_pictures(library, "main", model=model)
    assert len(measured) == 2


def test_an_index_that_another_process_made_anew_meanwhile_is_not_said_to_be_damaged(
    seen, library: Library, monkeypatch
) -> None:
    model = seen()
    open_pictures(library, "main", model=model)
    vectors = index_folder(library.state, "main") / "vectors-0.f16"
    whole = vectors.read_bytes()
    vectors.write_bytes(whole[:10])
    lock = IndexWriter.__enter__

    def waited(writer: IndexWriter) -> IndexWriter:
        vectors.write_bytes(whole)
        return lock(writer)

    monkeypatch.setattr(IndexWriter, "__enter__", waited)
    assert open_pictures(library, "main", model=model).signal.brought.renewed == ""


def test_who_will_not_wait_for_another_process_is_told(seen, library: Library) -> None:
    model = seen()
    query, options = Query.parse("shirt"), {"by": ("words", "pictures"), "model": "main"}
    busy = FileLock(index_folder(library.state, "main") / "index.lock")
    index_folder(library.state, "main").mkdir(parents=True)
    with busy:
        answer = ask(library, query, library.folder, **options, wait=0.1)
        with pytest.raises(LibraryBusy):
            open_pictures(library, "main", model=model, wait=0.1)
    assert (answer.signals, answer.model) == (("words",), None)
    assert any("pictures did not rank: another howto is writing" in one for one in answer.notes)
    before = ask(library, query, library.folder, **options)
    path = library.folder / "pancakes.srt"
    path.write_text(path.read_text().replace("pan", "pot"))
    refresh(library)
    with busy:
        behind = ask(library, query, library.folder, **options, wait=0.1)
    assert behind.signals == ("words", "pictures")
    assert behind.hits[0].video == before.hits[0].video
    assert any("what is new since it began" in note for note in behind.notes)
    after = ask(library, query, library.folder, **options)
    assert not any("another howto" in note for note in after.notes)


def test_the_page_does_not_wait_for_another_process(seen, library: Library, monkeypatch) -> None:
    monkeypatch.setattr("howto.serve.answers._WAIT", 0.1)
    seen()
    make_run(library, "main")
    index_folder(library.state, "main").mkdir(parents=True)
    asked = Search(Query.parse("shirt"), 10, None, "main", 0.0, "", Filters(), None)
    with FileLock(index_folder(library.state, "main") / "index.lock"):
        told = answer(library, Settings(library.folder), asked)
    assert told["signals"] == ["words"]
    assert any("pictures did not rank: another howto is writing" in one for one in told["notes"])


def test_a_damaged_or_deleted_index_comes_back(seen, videos: Path) -> None:
    import shutil

    seen()
    hits = find("shirt", videos).hits
    folder = index_folder(videos / ".howto", "main")
    shutil.rmtree(folder)
    assert find("shirt", videos).hits == hits
    vectors = folder / "vectors-0.f16"
    vectors.write_bytes(vectors.read_bytes()[:10])
    answer = find("shirt", videos)
    assert answer.hits == hits
    assert any("damaged" in note for note in answer.notes)


def test_missing_features_are_offered_with_an_estimate_and_not_made(seen, videos: Path) -> None:
    model = seen(without=("silent.mp4",))
    answer = find("pan", videos)
    assert len(model.embedded) == 2
    offer = answer.picture_offer
    assert offer is not None
    assert (offer.seconds, offer.work_seconds) == (pytest.approx(20, abs=1), offer.seconds / 4)
    assert answer.notes[-1] == (
        "1 video has no features for main: pictures find nothing in them. To make them "
        f"(about 5 s): howto search QUERY {videos} --model main --yes"
    )


def test_a_video_that_cannot_be_embedded_costs_itself(seen, videos: Path, monkeypatch) -> None:
    model = seen(without=("silent.mp4",))
    # As if the file of its features were there, and damaged.
    monkeypatch.setattr("howto.joint.opened.missing_features", lambda *_: [])
    answer = find("pan", videos)
    assert answer.hits[0].video == "pancakes.mp4"
    assert any("1 video could not be searched by pictures" in note for note in answer.notes)
    assert len(model.embedded) == 3


# --- more of what is wanted ---


def test_what_is_not_wanted_goes_down(seen, videos: Path) -> None:
    seen()
    both = find("shirt iron", videos)
    assert {hit.video for hit in both.hits[:1]} == {"silent.mp4"}
    kept = find("shirt iron", videos, without="iron")
    best = kept.hits[0]
    assert best.start <= 10 < best.end
    assert best.at < 14.5


def test_what_is_not_wanted_and_not_known_changes_nothing_and_is_said(seen, videos: Path) -> None:
    seen()
    plain = find("shirt iron", videos)
    answer = find("shirt iron", videos, without="zebra")
    assert answer.hits == plain.hits
    assert "main knows no word of --not 'zebra': pictures rank without it" in answer.notes


def test_unknown_words_beside_known_ones_are_named(seen, videos: Path) -> None:
    seen()
    answer = find("shirt zebra quagga", videos, without="iron gnu")
    assert answer.hits
    (words, unwanted) = [note for note in answer.notes if "does not know" in note]
    assert words == (
        "main does not know 'zebra', 'quagga' of 'shirt zebra quagga': pictures rank without them"
    )
    assert unwanted == "main does not know 'gnu' of --not 'iron gnu': pictures rank without it"
    assert not any("does not know" in note for note in find("shirt iron", videos).notes)


@pytest.fixture
def seen_with_stop_words(seen) -> Callable[..., None]:
    """A model that has stop words in its vocabulary: they look like a dog."""

    def see() -> None:
        model = seen()
        known_words, embed_text = model.known_words, model.embed_text

        def as_dog(captions):
            return [
                " ".join("dog" if w in ("a", "the") else w for w in c.split()) for c in captions
            ]

        model.known_words = lambda captions, **kw: known_words(as_dog(captions), **kw)
        model.embed_text = lambda captions, **kw: embed_text(as_dog(captions), **kw)

    return see


def test_a_stop_word_is_no_known_word(seen_with_stop_words, videos: Path) -> None:
    seen_with_stop_words()
    answer = find("a zebra", videos)
    assert not answer.hits
    assert "main knows no word of 'a zebra': pictures did not rank" in answer.notes
    assert find("the iron zebra", videos).hits == find("iron", videos).hits


def test_a_stop_word_that_is_not_wanted_changes_nothing(seen_with_stop_words, videos: Path) -> None:
    seen_with_stop_words()
    answer = find("shirt dog", videos, without="a zebra")
    assert answer.hits == find("shirt dog", videos).hits
    assert "main knows no word of --not 'a zebra': pictures rank without it" in answer.notes


def test_the_home_of_nobody_is_no_run(videos: Path) -> None:
    with pytest.raises(UsageError, match="~nouser-here is the home of no user here"):
        search("shirt", videos, model="~nouser-here/x")


def test_scores_that_nothing_could_be_compared_with_are_said_to_be_rough(
    seen, videos: Path
) -> None:
    seen()
    rough = "scores of pictures are rough: there is too little here to measure"
    assert any(note.startswith(rough) for note in find("shirt", videos).notes)
    assert not any(note.startswith(rough) for note in search("shirt", videos).notes)


def test_lines_that_say_it_are_left_out(seen, videos: Path) -> None:
    seen()
    assert any("iron" in hit.caption for hit in search("press iron shirt", videos).hits)
    answer = search("press iron shirt", videos, without="ironing")
    assert answer.hits
    assert not any("iron" in hit.caption for hit in answer.hits)


def test_like_a_moment_of_a_video(seen, videos: Path) -> None:
    seen()
    like = parse_like("pancakes.mp4@0:03")
    answer = search("", videos, model="main", like=like)
    assert (answer.query.text, answer.signals) == ("pancakes.mp4@0:03", ("pictures",))
    assert all(
        not (hit.video == "pancakes.mp4" and hit.start <= 3 <= hit.end) for hit in answer.hits
    )
    assert answer.hits[0].video == "pancakes.mp4"


def test_like_a_moment_and_words(seen, videos: Path) -> None:
    seen()
    like = parse_like(f"{videos / 'pancakes.mp4'}@3")
    answer = search("shirt", videos, model="main", like=like)
    assert answer.signals == ("words", "pictures")
    assert {hit.video for hit in answer.hits[:3]} == {
        "pancakes.mp4",
        "silent.mp4",
        "shirts/fold.mp4",
    }


def test_like_a_moment_of_a_video_that_does_not_pass_the_filters(seen, videos: Path) -> None:
    seen()
    like = parse_like("pancakes.mp4@3")
    answer = search("", videos, model="main", like=like, filters=Filters(video="shirts/*"))
    assert {hit.video for hit in answer.hits} == {"shirts/fold.mp4"}


def test_that_a_video_is_like_itself_is_no_match(seen, videos: Path, small_video) -> None:
    model, like = seen(), parse_like("pancakes.mp4@3")
    for number in range(6):
        small_video(videos / f"{number}.mp4", shade=100 + number)
        model.shown[f"{number}.mp4"] = []
    alone = search("", videos, model="main", like=like)
    assert (alone.hits[0].video, alone.hits[0].score > CONFIDENT) == ("pancakes.mp4", True)
    assert not alone.confident
    assert any("no confident match" in note and "in another video" in note for note in alone.notes)
    small_video(videos / "other.mp4", shade=200)
    model.shown["other.mp4"] = [(0.0, 8.0, "pan", 2.0)]
    both = search("", videos, model="main", like=like)
    assert "other.mp4" in {hit.video for hit in both.hits}
    assert both.confident
    # The same of fewer hits: the first is of the video itself.
    best = search("", videos, model="main", like=like, top=1)
    assert [hit.video for hit in best.hits] == ["pancakes.mp4"]
    assert (best.confident, best.notes) == (True, both.notes)


@pytest.mark.parametrize("given", ["shirt.mp4", "shirts/fold.mp4", "./x/../shirts/fold.mp4"])
def test_like_a_moment_of_a_video_by_any_of_its_paths(
    seen, videos: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    model = seen()
    (videos / "shirt.mp4").write_bytes((videos / "shirts" / "fold.mp4").read_bytes())
    model.shown["shirt.mp4"] = model.shown["fold.mp4"]
    wanted = search("", videos, model="main", like=parse_like("shirts/fold.mp4@5")).hits
    assert wanted
    assert search("", videos, model="main", like=parse_like(f"{given}@5")).hits == wanted
    # Nor does it matter from where it is named, or in which folder is searched.
    monkeypatch.chdir(videos / "shirts")
    for typed in (given, "fold.mp4", "../shirt.mp4", str(videos / "x" / ".." / "shirt.mp4")):
        like = parse_like(f"{typed}@5")
        assert search("", videos, model="main", like=like).hits == wanted
    inside = search("", videos / "shirts", model="main", like=parse_like(f"{given}@5"))
    assert {hit.video for hit in inside.hits} == {"fold.mp4"}


def test_of_several_videos_of_a_name_the_one_in_the_folder_searched_is_meant(
    seen, videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen()
    (videos / "shirts" / "silent.mp4").write_bytes((videos / "pancakes.mp4").read_bytes())
    pan = search("", videos, model="main", like=parse_like("pancakes.mp4@3")).hits
    shirt = search("", videos, model="main", like=parse_like("silent.mp4@3")).hits
    assert [hit.video for hit in pan] != [hit.video for hit in shirt]
    for here in (videos, videos / "shirts"):
        monkeypatch.chdir(here)
        assert search("", videos, model="main", like=parse_like("silent.mp4@3")).hits == shirt
        inside = search("", videos / "shirts", model="main", like=parse_like("silent.mp4@3"))
        assert inside.hits[0].score == pan[0].score


def test_like_a_moment_of_a_video_by_a_link_or_a_copy_of_it(seen, videos: Path) -> None:
    seen()
    film = videos / "pancakes.mp4"
    wanted = search("", videos, model="main", like=parse_like(f"{film}@3")).hits
    assert wanted
    link, folder, copy = (videos.parent / name for name in ("link.mp4", "elsewhere", "copy.mp4"))
    link.symlink_to(film)
    folder.symlink_to(videos)
    copy.write_bytes(film.read_bytes())
    typed = [f"{path}@3" for path in (link, folder / "pancakes.mp4", copy)]
    for like in typed:
        assert search("", videos, model="main", like=parse_like(like)).hits == wanted
    film.unlink()
    for like in typed:
        with pytest.raises(UsageError, match="there is no video"):
            search("", videos, model="main", like=parse_like(like))


def test_like_a_moment_of_a_collected_video_by_a_link_to_it(
    seen, videos: Path, library: Library
) -> None:
    seen()
    number = library.number_of_file("pancakes.mp4")
    with library.writing() as connection:  # its id is its site's
        connection.execute("UPDATE videos SET video_id = 'site:1' WHERE number = ?", (number,))
    link = videos.parent / "link.mp4"
    link.symlink_to(videos / "pancakes.mp4")
    wanted = search("", videos, model="main", like=parse_like("pancakes.mp4@3")).hits
    assert wanted
    assert search("", videos, model="main", like=parse_like(f"{link}@3")).hits == wanted


def test_like_a_moment_of_a_video_that_the_library_knows_as_a_link(seen, videos: Path) -> None:
    seen()
    away = videos.parent / "away.mp4"
    (videos / "pancakes.mp4").rename(away)
    (videos / "pancakes.mp4").symlink_to(away)
    wanted = search("", videos, model="main", like=parse_like("pancakes.mp4@3")).hits
    assert wanted
    for typed in ("./pancakes.mp4", videos / "pancakes.mp4", away):
        assert search("", videos, model="main", like=parse_like(f"{typed}@3")).hits == wanted


def test_words_that_are_not_known_beside_a_picture_are_left_out(seen, videos: Path) -> None:
    seen()
    like = parse_like("pancakes.mp4@3")
    answer = search("zzzqq", videos, model="main", like=like)
    assert answer.hits
    assert "main knows no word of 'zzzqq': pictures rank by --like alone" in answer.notes


def test_the_moment_at_the_very_end_is_left_out_of_the_hits(seen, videos: Path) -> None:
    seen()
    exactly, past = (
        search("", videos, model="main", like=parse_like(f"pancakes.mp4@{at}"), top=100).hits
        for at in ("20", "20.3")
    )
    assert past == exactly
    assert not any(hit.video == "pancakes.mp4" and hit.end >= 20 for hit in past)


def test_a_moment_of_a_video_without_features_is_offered_them(
    seen, cli: Callable, videos: Path, monkeypatch
) -> None:
    model = seen(without=("silent.mp4",))
    like = parse_like("silent.mp4@12")
    # Also where the video itself does not pass the filters.
    answer = search("", videos, model="main", like=like, filters=Filters(video="shirts/*"))
    assert (answer.signals, answer.hits) == ((), ())
    assert "silent.mp4 has no features for main: pictures did not rank" in answer.notes
    assert answer.picture_offer is not None
    assert len(answer.picture_offer.numbers) == 1

    def make(*_, **__) -> int:
        model.shown |= seen().shown
        return 1

    monkeypatch.setattr("howto.cli.search.make_offered", make)
    ran = cli("search", "--like", "silent.mp4@12", "-L", videos, "--model", "main", "-y", "--json")
    assert ran.code == 0, ran.err
    assert (ran.code, ran.json["signals"]) == (0, ["pictures"])
    assert ran.json["hits"]


def test_a_file_that_is_no_picture_is_named_once(seen, videos: Path) -> None:
    model = seen()
    steps = videos / "steps.txt"
    steps.write_text("fold it")
    model.embed_picture = lambda path: read_picture(path, FrameSpec(Fraction(1), 8))
    with pytest.raises(UsageError) as refused:
        find("", videos, like=parse_like(str(steps)))
    assert str(refused.value).startswith(f"{steps} is no picture that can be read")
    assert str(refused.value).count(steps.name) == 1


def test_what_is_wrong_with_the_model_is_not_said_of_the_picture(seen, videos: Path) -> None:
    model = seen()
    (videos / "pan.jpg").write_bytes(b"a picture")

    def embed_picture(_path: Path) -> None:
        raise UsageError("no device named 'cuda'")

    model.embed_picture = embed_picture
    with pytest.raises(UsageError, match=r"^no device named 'cuda'$"):
        find("", videos, like=parse_like(str(videos / "pan.jpg")))


def test_features_that_are_gone_are_told_of_by_path(seen, videos: Path) -> None:
    model = seen()
    find("shirt", videos)
    del model.shown["silent.mp4"]
    with pytest.raises(UsageError, match=r"^--like silent.mp4@12: .*silent.mp4 has no features"):
        search("", videos, model="main", like=parse_like("silent.mp4@12"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x" * 520, "there is no such picture"),
        ("gone.jpg", "there is no such picture"),
        ("pancakes.mp4@noon", "'noon' is no time"),
        ("gone.mp4@3", "there is no video gone.mp4"),
        ("pancakes.mp4@3000", "is 20.0 s long"),
    ],
)
def test_what_cannot_be_resembled(seen, videos: Path, text: str, said: str) -> None:
    seen()
    with pytest.raises(UsageError, match=said):
        search("", videos, model="main", like=parse_like(text))


def test_a_picture_of_more_pixels_than_can_be_read_is_refused(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        checked = kind + data
        return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))

    rest = chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    path = tmp_path / "huge.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + rest)
    spec = FrameSpec(Fraction(1), 8)
    with pytest.raises(UsageError, match=r"huge.png cannot be read as a picture"):
        read_picture(path, spec)


def test_filters_hold_for_every_signal(seen, videos: Path) -> None:
    seen()
    glob = Filters(video="shirts/*")
    for by in (("words",), ("pictures",), ("words", "pictures")):
        answer = find(
            "shirt pan", videos, by=by, model="main" if "pictures" in by else "auto", filters=glob
        )
        assert {hit.video for hit in answer.hits} == {"shirts/fold.mp4"}
    none = find("shirt", videos, filters=Filters(longer_than=3600))
    assert none.hits == ()
    assert "none of 3 videos passes the filters" in none.notes


def test_a_video_goes_by_the_name_that_was_asked_for(videos: Path) -> None:
    shutil.copy(videos / "shirts" / "fold.mp4", videos / "a.mp4")
    shutil.copy(videos / "shirts" / "fold.en.vtt", videos / "a.en.vtt")
    for folder, glob, name in (
        (videos, "*", "a.mp4"),
        (videos, "shirts/*", "shirts/fold.mp4"),
        (videos / "shirts", "shirts/*", "fold.mp4"),
    ):
        found = search("sleeve", folder, filters=Filters(video=glob))
        assert [hit.video for hit in found.hits] == [name]


@pytest.mark.parametrize("inside", [False, True])
def test_filters_and_folders_come_before_the_cut(
    videos: Path, monkeypatch: pytest.MonkeyPatch, inside: bool
) -> None:
    monkeypatch.setattr("howto.search.words._MOST_CANDIDATES", 1)
    pan = videos / "pan"
    pan.mkdir()
    (videos / "pancakes.mp4").rename(pan / "pancakes.mp4")
    (videos / "pancakes.srt").rename(pan / "pancakes.srt")
    (first,) = search("batter shirt sleeve", videos, by=["words"]).hits
    assert first.video == "shirts/fold.mp4"
    folder, filters = (pan, Filters()) if inside else (videos, Filters(video="pan/*"))
    (hit,) = search("batter shirt sleeve", folder, by=["words"], filters=filters).hits
    assert hit.path.name == "pancakes.mp4"


CROWD = 2_010
"""Lines of a video that say what is not wanted: more than any signal puts forward."""


@pytest.fixture
def crowd(seen, small_video, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an old video that shows a shirt, and says press in all lines but the last; and
    with a newer and longer one that says and shows it but once."""
    folder = tmp_path / "crowd"
    (folder / "new").mkdir(parents=True)
    first, last = 20.0, 20.0 + CROWD / 2
    lines = [(first + at / 2, f"press shirt {at}") for at in range(CROWD)]
    said = {
        "old.mp4": [*lines, (last, "there lies shirt")],
        "new/film.mp4": [(first, "how to wear a shirt")],
    }
    for name, told in said.items():
        small_video(folder / name, seconds=1_030 if name == "old.mp4" else 1_100)
        cues = (
            f"{clock(at)} --> {clock(at + 0.5 if len(told) > 1 else at + 5)}\n{text}\n"
            for at, text in told
        )
        (folder / name).with_suffix(".vtt").write_text("WEBVTT\n\n" + "\n".join(cues))
    day = datetime(2020, 6, 15, tzinfo=UTC).timestamp()
    os.utime(folder / "old.mp4", (day, day))
    model = seen()
    model.shown["old.mp4"] = [(first, last - 0.01, "shirt", 3.0), (last, 9_999, "shirt", 0.5)]
    model.shown["film.mp4"] = [(first, first + 0.5, "shirt", 0.3)]
    monkeypatch.setattr("howto.search.meaning.SentenceEmbedder", lambda device: model)
    return folder


def clock(seconds: float) -> str:
    return f"{int(seconds // 60):02}:{seconds % 60:06.3f}"


def options_of(signal: str) -> dict[str, object]:
    return {"by": (signal,), "model": "main" if signal == "pictures" else "auto"}


@pytest.mark.parametrize("signal", ["words", "meaning", "pictures"])
def test_what_says_what_is_not_wanted_leaves_room_for_the_rest(crowd: Path, signal: str) -> None:
    options = options_of(signal)
    full = search("shirt", crowd, **options)
    assert {hit.video for hit in full.hits} == {"old.mp4"}
    answer = search("shirt", crowd, without="press", top=1_000, **options)
    assert not any("press" in hit.caption for hit in answer.hits)
    said = [hit for hit in answer.hits if hit.caption]
    assert {hit.video for hit in said} == {"old.mp4", "new/film.mp4"}
    assert said[0].caption == "there lies shirt"


@pytest.mark.parametrize("signal", ["words", "meaning", "pictures"])
def test_what_does_not_pass_the_filters_leaves_room_for_the_rest(crowd: Path, signal: str) -> None:
    options = options_of(signal)
    for filters in (
        Filters(video="new/*"),
        Filters(after=date(2020, 6, 16)),
        Filters(longer_than=1_050),
    ):
        answer = search("shirt", crowd, filters=filters, **options)
        assert {hit.video for hit in answer.hits} == {"new/film.mp4"}
        assert "how to wear a shirt" in answer.hits[0].caption
    inside = search("shirt", crowd / "new", **options)
    assert "how to wear a shirt" in inside.hits[0].caption
    assert {hit.video for hit in inside.hits} == {"film.mp4"}


def test_meaning_has_nothing_to_rank_where_nothing_is_said(crowd: Path) -> None:
    for captions in crowd.rglob("*.vtt"):
        captions.unlink()
    answer = search("shirt", crowd, by=("words", "meaning"))
    assert answer.signals == ("words",)
    assert "meaning did not rank: there is nothing here that it could rank" in answer.notes


def test_a_signal_that_did_not_rank_is_not_named(seen, cli: Callable, videos: Path) -> None:
    seen()
    ran = cli("search", "batter", videos, "--by", "words,pictures", "--model", "main")
    assert "pancakes.mp4" in ran.out
    assert "By words" not in ran.err
    assert "main knows no word of 'batter': pictures did not rank" in ran.err
    told = cli(
        "search", "batter", videos, "--by", "words,pictures", "--model", "main", "--json"
    ).json
    assert (told["signals"], told["model"], told["confident"]) == (["words"], None, True)
    assert "main knows no word of 'batter': pictures did not rank" in told["notes"]
    nothing = cli("search", "?!", videos, "--json").json
    assert (nothing["signals"], nothing["notes"][0]) == ([], "there is no word in '?!' to look for")


def test_lines_that_say_what_is_not_wanted_are_left_out_before_the_cut(
    videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("howto.search.words._MOST_CANDIDATES", 1)
    (first,) = search("shirt", videos, by=["words"]).hits
    assert "flat" in first.caption
    (second,) = search("shirt", videos, by=["words"], without="flat").hits
    assert "sleeve" in second.caption


def test_the_glob_matches_names_in_the_folder_searched_too(seen, videos: Path) -> None:
    seen()
    find("dog", videos)  # the library is the folder around
    for glob in ("fold.*", "shirts/*"):
        answer = find("dog", videos / "shirts", filters=Filters(video=glob))
        assert {hit.video for hit in answer.hits} == {"fold.mp4"}
    assert find("dog", videos, filters=Filters(video="fold.*")).hits == ()


def test_a_folder_inside_the_library(seen, videos: Path) -> None:
    seen()
    answer = find("dog", videos / "shirts")
    assert {hit.video for hit in answer.hits} == {"fold.mp4"}


# --- which signals ---


@pytest.fixture
def library(videos: Path):
    with Library.open(videos) as opened:
        refresh(opened)
        yield opened


def make_run(library: Library, name: str, checkpoint: str = "1") -> None:
    folder = library.state / "runs" / name
    (folder / "checkpoints" / checkpoint).mkdir(parents=True)
    (folder / "checkpoints" / checkpoint / "model.safetensors").write_bytes(b"numbers")
    (folder / "config.json").write_text("{}")
    (folder / "last").write_text(checkpoint)


def test_without_a_measurement_it_is_words_and_that_is_said(seen, library: Library) -> None:
    seen()
    assert choose_signals(library, None).notes == ()  # there is no model to choose
    make_run(library, "main")
    assert models_in_use(library) == ["main"]
    chosen = choose_signals(library, None)
    assert (chosen.signals, chosen.model) == (("words",), None)
    measure = f"howto eval --benchmark own -L {library.folder} --model main (and --queries"
    assert measure in chosen.notes[0]
    assert chosen.notes[0].endswith("or name a model: --model main")
    asked = choose_signals(library, ("pictures",))
    assert (asked.signals, asked.model) == (("pictures",), "main")
    make_run(library, "other")
    with pytest.raises(UsageError, match=r"Name one: --model main\|other"):
        choose_signals(library, ("pictures",))
    make_run(library, "my run")
    (note,) = choose_signals(library, None, folder=Path("a b")).notes
    models = "--model main --model 'my run' --model other"
    assert f"howto eval --benchmark own -L 'a b' {models} (and --queries FILE.csv" in note
    inside = library.folder / "shirts"
    assert f"own -L {inside} --model" in ask(library, Query.parse("shirt"), inside).notes[0]


def test_what_came_while_another_process_was_waited_for_is_in_the_index(
    seen, library: Library, monkeypatch
) -> None:
    model = seen()
    lock = IndexWriter.__enter__

    def waited(writer: IndexWriter) -> IndexWriter:
        monkeypatch.setattr(IndexWriter, "__enter__", lock)
        path = library.folder / "pancakes.srt"
        path.write_text(path.read_text().replace("pan", "pot"))
        refresh(library)
        return lock(writer)

    monkeypatch.setattr(IndexWriter, "__enter__", waited)
    open_pictures(library, "main", model=model)
    open_pictures(library, "main", model=model)
    assert len(model.embedded) == 3


def test_what_another_process_put_in_while_it_was_waited_for_stays_there(
    seen, library: Library, small_video, monkeypatch
) -> None:
    model = seen()
    open_pictures(library, "main", model=model)
    path = library.folder / "pancakes.srt"
    path.write_text(path.read_text().replace("pan", "pot"))
    refresh(library)
    lock = IndexWriter.__enter__

    def waited(writer: IndexWriter) -> IndexWriter:
        monkeypatch.setattr(IndexWriter, "__enter__", lock)
        small_video(library.folder / "zz.mp4", shade=7)
        model.shown["zz.mp4"] = []
        refresh(library)
        assert open_pictures(library, "main", model=model).signal.brought.added == 2
        return lock(writer)

    monkeypatch.setattr(IndexWriter, "__enter__", waited)
    brought = open_pictures(library, "main", model=model).signal.brought
    assert (brought.added, brought.removed) == (0, 0)
    assert len(read_manifest(index_folder(library.state, "main")).groups) == 4


def test_what_was_measured_to_be_best_is_taken(seen, library: Library) -> None:
    seen()
    make_run(library, "main")
    make_run(library, "other")
    with library.writing():
        remember(library, SignalChoice(("words", "pictures"), "main", "it found more"))
    answer = ask(library, Query.parse("shirt"), library.folder)
    assert (answer.signals, answer.model) == (("words", "pictures"), "main")
    assert answer.why == "it found more"
    assert choose_signals(library, ("pictures",)).model == "main"
    assert choose_signals(library, None, "none").signals == ("words",)
    with library.writing():
        remember(library, SignalChoice(("words",), None, "words find more"))
    assert ask(library, Query.parse("shirt"), library.folder).signals == ("words",)
    with library.writing():
        remember(library, SignalChoice(("words", "pictures"), "gone", "it found more"))
    chosen = choose_signals(library, None)
    assert chosen.signals == ("words",)
    assert "is no longer here" in chosen.notes[0]


def test_a_measurement_of_another_model_is_not_trusted(seen, library: Library) -> None:
    measured = seen()
    make_run(library, "main")
    signals = ("words", "pictures")
    with library.writing():
        chosen = SignalChoice(signals, "main", "it found more", measured.recipe.short)
        remember(library, chosen)
    assert ask(library, Query.parse("shirt"), library.folder).signals == signals
    learned_anew = seen(version=2)
    answer = ask(library, Query.parse("shirt"), library.folder)
    assert learned_anew.embedded == []  # no index is made that nobody uses
    assert (answer.signals, answer.model, answer.why) == (("words",), None, "")
    (note,) = [note for note in answer.notes if "has changed since" in note]
    assert "Measure again: howto eval --benchmark own" in note
    # Who names the model has it.
    named = ask(library, Query.parse("shirt"), library.folder, model="main")
    assert named.signals == signals


def test_the_model_that_was_measured_is_the_one_that_ranks(
    seen, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is trained again once it was compared with what was measured waits its turn."""
    measured = seen()
    make_run(library, "main")
    with library.writing():
        signals = ("words", "pictures")
        remember(library, SignalChoice(signals, "main", "it found more", measured.recipe.short))
    trained_again = []

    def compared(*arguments) -> Chosen:
        found = as_measured(*arguments)
        trained_again.append(seen(version=2))
        make_run(library, "main", checkpoint="2")
        return found

    monkeypatch.setattr("howto.search.search.as_measured", compared)
    answer = ask(library, Query.parse("shirt"), library.folder)
    assert answer.signals == signals
    assert (len(measured.embedded), trained_again[0].embedded) == (3, [])


def test_why_words_alone_were_chosen_is_said(cli: Callable, library: Library) -> None:
    with library.writing():
        remember(library, SignalChoice(("words",), None, "words find more"))
    assert cli("search", "shirt", library.folder, "--json").json["why"] == "words find more"
    assert "By words: words find more" in cli("search", "shirt", library.folder).err
    asked = ("search", "shirt", library.folder, "--by", "words")
    assert cli(*asked, "--json").json["why"] == ""
    assert "By words" not in cli(*asked).err


@pytest.mark.parametrize(
    ("by", "model", "by_picture", "said"),
    [
        (("smell",), "auto", False, "cannot search by smell"),
        ((), "auto", False, "cannot search by nothing"),
        (("pictures",), "none", False, "contradict"),
        (("words",), "main", False, "add pictures to --by words"),
        (("words",), "auto", True, "--like needs pictures"),
        (None, "none", True, "--like needs a model"),
        (("pictures",), "auto", False, "searching by pictures needs a model"),
    ],
)
def test_signals_that_contradict_each_other(library, by, model, by_picture, said) -> None:
    with pytest.raises(UsageError, match=said):
        choose_signals(library, by, model, by_picture=by_picture)


def test_what_is_kept_open_stays_loaded_and_sees_changes(seen, library: Library) -> None:
    seen()
    opened = Opened()
    query, options = Query.parse("pan"), {"by": ("pictures",), "model": "main", "opened": opened}
    ask(library, query, library.folder, **options)
    first = kept_pictures(opened, library).signal.index
    assert kept_pictures(opened, library).signal.index is first
    (library.folder / "pancakes.mp4").unlink()
    refresh(library)
    answer = ask(library, query, library.folder, **options)
    assert kept_pictures(opened, library).signal.index is not first
    assert all(hit.video != "pancakes.mp4" for hit in answer.hits)


def test_the_index_holds_float16_of_every_clip(seen, library: Library) -> None:
    seen()
    ask(library, Query.parse("pan"), library.folder, by=("pictures",), model="main")
    manifest = read_manifest(index_folder(library.state, "main"))
    assert manifest.live == library.counts()["clips"]
    assert manifest.vectors_path.stat().st_size == manifest.rows * manifest.dim * 2


# --- the command ---


def test_the_command_shows_ranks_and_makes_a_sheet(
    seen, cli: Callable, videos: Path, monkeypatch
) -> None:
    seen()
    monkeypatch.setattr("howto.cli.search.output", Console(width=120, highlight=False))
    sheet = videos.parent / "hits.png"
    ran = cli(
        *("search", "pan", videos, "--by", "words,pictures", "--model", "main"),
        *("--sheet", sheet, "--top", "2"),
    )
    assert ran.code == 0, ran.err
    assert "words 1, pictures" in ran.out
    assert "By words and pictures of main." in ran.err
    assert sheet.stat().st_size > 1000
    found = cli("search", "shirt", videos, "--model", "main", "--by", "pictures", "--json").json
    assert (found["model"], found["signals"], found["confident"]) == ("main", ["pictures"], True)
    assert found["hits"][0]["video"] == "silent.mp4"


def test_a_narrow_terminal_breaks_no_name(seen, cli: Callable, videos: Path, monkeypatch) -> None:
    seen()
    name = "pancakes-as-grandmother-made.mp4"
    (videos / "pancakes.mp4").rename(videos / name)
    (videos / "pancakes.srt").rename((videos / name).with_suffix(".srt"))
    model = seen()
    model.shown[name] = model.shown.pop("pancakes.mp4")
    monkeypatch.setattr("howto.cli.search.output", Console(width=80, highlight=False))
    ran = cli("search", "pan", videos, "--by", "words,pictures", "--model", "main")
    assert ran.code == 0, ran.err
    assert name in ran.out
    assert "words 1" in ran.out
    assert "words 1, pictures" not in ran.out


def test_the_command_without_words(seen, cli: Callable, videos: Path) -> None:
    seen()
    ran = cli("search", "--like", "pancakes.mp4@3", "-L", videos, "--model", "main")
    assert ran.code == 0, ran.err
    assert "pancakes.mp4" in ran.out
    wrong = cli("search", videos, "--like", "pancakes.mp4@3")
    assert (wrong.code, f"-L {videos}" in wrong.err) == (2, True)
    assert cli("search").code == 2


def test_the_command_filters(cli: Callable, videos: Path) -> None:
    ran = cli("search", "shirt pan", videos, "--video", "pan*", "--json")
    assert {hit["video"] for hit in ran.json["hits"]} == {"pancakes.mp4"}
    for option, value in (("--after", "soon"), ("--longer-than", "long")):
        assert cli("search", "shirt", videos, option, value).code == 2


def test_yes_makes_the_features_that_were_offered(seen, cli, videos, monkeypatch) -> None:
    seen(without=("silent.mp4",))
    made = []

    def make(library: Library, offer, **_) -> int:
        made.append(offer.subject)
        seen()
        return 1

    monkeypatch.setattr("howto.cli.search.make_offered", make)
    arguments = ("search", "shirt", videos, "--by", "pictures", "--model", "main", "--json")
    assert not any(hit["video"] == "silent.mp4" for hit in cli(*arguments).json["hits"])
    assert made == []
    ran = cli(*arguments, "--yes")
    assert made == ["1 video has no features for main"]
    assert ran.code == 0
