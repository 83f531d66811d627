"""Collected videos in the rest of the program: found, narrated, searched, clipped."""

from pathlib import Path

import pytest

from howto.clip.pairs import PairOptions
from howto.clip.stage import clip_videos, plan
from howto.collect.kept import at_second, scan_library
from howto.collect.rules import Rules
from howto.errors import Reason, UsageError
from howto.extract.choice import Choice, choose
from howto.extract.stage import extract_videos
from howto.library import Library
from howto.records import Chapter, State
from howto.search.query import Query
from howto.search.refresh import refresh
from howto.search.search import ask
from howto.transcribe.ask import Wish
from howto.transcribe.stage import plan as plan_transcribing

CAPTIONS_ALONE = Rules(keep_free=0, captions_only=True)


@pytest.fixture
def site(desk, small_video):
    """Two videos, one of them with chapters."""
    desk.source.finds["fold"] = ["a", "b"]
    desk.source.media_file = lambda video_id, path: small_video(
        path, seconds=36, shade=ord(video_id)
    )
    desk.source.facts = {
        "a": {
            "title": "Folding with Ann",
            "description": "sleeves",
            "duration": 36.0,
            "chapters": (Chapter(0.0, 10.0, "Collars"),),
        },
        "b": {"duration": 36.0},
    }
    return desk


def narrated(library: Library) -> list[str]:
    numbers = library.connection.execute(
        "SELECT video_id FROM narrations JOIN videos USING (number)"
    )
    return sorted(video_id for (video_id,) in numbers)


def test_media_and_captions_are_videos_of_the_library(site) -> None:
    site.run("fold")
    assert refresh(site.library, workers=1).new == 2
    assert narrated(site.library) == ["a", "b"]
    assert sorted(site.library.files()) == [".howto/media/a.mp4", ".howto/media/b.mp4"]
    counts = site.library.counts()
    assert (counts["videos"], counts["chapters"], counts["lines"]) == (2, 1, 30)
    row = site.library.connection.execute(
        "SELECT title, description FROM videos WHERE video_id = 'a'"
    )
    assert row.fetchone() == ("Folding with Ann", "sleeves")
    assert not refresh(site.library, workers=1).work_done


def test_what_is_not_recorded_is_not_there(site) -> None:
    site.run("fold", limit=1)
    (site.places.media / "b.mp4").write_bytes(b"whole, and not recorded yet")
    assert [file.video_id for file in scan_library(site.library)] == ["a"]


def test_captions_alone_are_narrated_searched_and_clipped(site) -> None:
    site.run("fold", rules=CAPTIONS_ALONE)
    refresh(site.library, workers=1)
    assert narrated(site.library) == ["a", "b"]
    assert site.library.counts()["videos"] == 2
    assert site.library.info("a").duration == 36.0
    made = clip_videos(site.library, PairOptions("lines"))
    assert (made.made, made.pairs) == (2, 30)
    hits = ask(site.library, Query.parse("word17"), site.library.folder).hits
    assert {(hit.has_media, hit.path.exists()) for hit in hits} == {(False, False)}


def test_captions_alone_have_no_features_until_the_media_is_there(site) -> None:
    site.run("fold", rules=CAPTIONS_ALONE)
    refresh(site.library, workers=1)
    wanted = choose(Choice(("template-mean-colour",), device="cpu"))
    ends = extract_videos(site.library, wanted, workers=1).outcomes
    assert {(one.state, one.reason, one.detail) for one in ends} == {
        (State.SKIPPED, Reason.NO_VIDEO_STREAM, "only its captions were collected")
    }
    site.run("fold")
    refresh(site.library, workers=1)
    ends = extract_videos(site.library, wanted, workers=1).outcomes
    assert {(one.state, one.reason) for one in ends} == {(State.OK, None)}


def test_media_that_comes_later_is_probed(site) -> None:
    site.run("fold", rules=CAPTIONS_ALONE)
    refresh(site.library, workers=1)
    site.run()
    refresh(site.library, workers=1)
    assert sorted(site.library.files()) == [".howto/media/a.mp4", ".howto/media/b.mp4"]
    assert site.library.info("a").video_codec == "h264"
    assert narrated(site.library) == ["a", "b"]
    assert site.library.counts()["absent"] == 0


def test_media_that_was_deleted_leaves_the_captions(site) -> None:
    site.run("fold")
    refresh(site.library, workers=1)
    (site.places.media / "a.mp4").unlink()
    refresh(site.library, workers=1)
    assert narrated(site.library) == ["a", "b"]
    (site.places.captions / "a.en.vtt").unlink()
    refresh(site.library, workers=1)
    assert site.library.counts()["videos"] == 1


def test_a_state_folder_elsewhere(site, tmp_path: Path) -> None:
    folder, state = tmp_path / "mine", tmp_path / "state"
    folder.mkdir()
    with Library.open(folder, state) as site.library:
        site.run("fold")
        refresh(site.library, workers=1)
        paths = sorted(site.library.files())
        assert paths == [str(state / "media" / f"{one}.mp4") for one in "ab"]
        (hit,) = ask(site.library, Query.parse("collars"), folder, top=1).hits
        assert hit.path == state / "media" / "a.mp4"


def test_a_hit_has_the_sites_address_at_its_second(site) -> None:
    site.run("fold")
    site.library.connection.execute(
        "UPDATE candidates SET address = 'https://www.youtube.com/watch?v=' || video_id"
    )
    refresh(site.library, workers=1)
    hits = ask(site.library, Query.parse("collars"), site.library.folder).hits
    assert hits[0].address.startswith("https://www.youtube.com/watch?v=a&t=")


@pytest.mark.parametrize(
    ("address", "at"),
    [
        ("https://www.youtube.com/watch?v=x", "https://www.youtube.com/watch?v=x&t=12s"),
        ("https://a.example/v.mp4", "https://a.example/v.mp4#t=12"),
        ("https://a.example/v#top", "https://a.example/v#t=12"),
    ],
)
def test_addresses_with_a_time(address: str, at: str) -> None:
    assert at_second(address, 12.9) == at


def test_the_name_of_a_hidden_file_is_nothing_to_search_for(site) -> None:
    site.run("fold")
    refresh(site.library, workers=1)
    assert ask(site.library, Query.parse("howto media mp4"), site.library.folder).hits == ()


def test_nothing_is_left_to_transcribe(site) -> None:
    site.run("fold")
    refresh(site.library, workers=1)
    planned = plan_transcribing(site.library, Wish())
    assert ([job.path for job in planned.jobs], len(planned.done)) == ([], 2)
    again = plan_transcribing(site.library, Wish(sources=("sidecar",), language="de"))
    assert {job.video.captions[0].exists() for job in again.jobs} == {True}


def test_pairs_of_the_first_hits_alone(site) -> None:
    site.run("fold")
    refresh(site.library, workers=1)
    assert len(plan(site.library, PairOptions("lines")).to_do) == 2
    (number,) = plan(site.library, PairOptions("lines"), rank_at_most=1).to_do
    assert site.library.video_id(number) == "a"


def test_the_command_takes_a_rank(site, cli) -> None:
    site.run("fold")
    ran = cli("clip", site.library.folder, "--clipper", "lines", "--rank-at-most", "1", "--json")
    assert (ran.code, ran.json["made"]) == (0, 1)
    assert cli("clip", site.library.folder, "--rank-at-most", "0").code == 2


def test_videos_of_ones_own_stay_beside_them(site, small_video) -> None:
    small_video(site.library.folder / "mine.mp4", shade=9)
    site.run("fold")
    refresh(site.library, workers=1)
    assert sorted(site.library.files())[-1] == "mine.mp4"
    assert len(site.library.files()) == 3
    with pytest.raises(UsageError):
        Rules(min_words=-1)
