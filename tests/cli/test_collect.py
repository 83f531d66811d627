"""`howto collect`: a library from a site on loopback, parked, gone on with, reported."""

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from howto.cli.collect import _Tally
from howto.collect.fetched import Pace
from howto.collect.ledger import Ledger, Parked, Step
from howto.collect.lists import youtube_candidate
from howto.collect.sources.urls import UrlsSource
from howto.collect.sources.youtube import YouTubeSource
from howto.collect.stage import KEPT, Event
from howto.errors import ItemError, Reason, RetryLater
from howto.library import Library
from tests.collect.site import Answer, Site, serving_videos
from tests.conftest import vtt

WORDS = "fold the left sleeve in, press"
CAPTIONS = vtt(*((second, second + 2, f"{WORDS} {second}") for second in range(0, 58, 2)))


@pytest.fixture
def shop(tmp_path: Path, small_video, monkeypatch) -> Iterator[tuple[Path, Site, Path]]:
    """A list of addresses, the site that has them, and a folder for the library."""
    monkeypatch.setattr(UrlsSource, "polite", Pace())
    media = small_video(tmp_path / "film.mp4", seconds=60).read_bytes()
    folder = tmp_path / "library"
    folder.mkdir()
    with serving_videos(tmp_path, 4, media, CAPTIONS.encode()) as (addresses, site):
        yield addresses, site, folder


def arguments(addresses: Path, folder: Path) -> list[str]:
    return ["collect", "--urls", str(addresses), "-L", str(folder), "--allow-private"]


def test_a_list_becomes_a_library(cli, shop) -> None:
    addresses, site, folder = shop
    ran = cli(*arguments(addresses, folder), "--json")
    assert (ran.code, ran.json["outcomes"]) == (0, {"kept": 4})
    assert len(site.asked) == 12
    status = cli("status", folder, "--json").json
    assert (status["videos"], status["narrations"], status["lines"]) == (4, 4, 116)
    assert status["collecting"] == {"done": 4}
    assert "Collecting: 4 kept, 0 left out, 0 given up, 0 waiting" in cli("status", folder).out
    found = cli("search", "left sleeve", folder, "--json").json
    assert found["hits"][0]["address"].startswith("http://127.0.0.1:")
    again = cli(*arguments(addresses, folder))
    assert (again.code, again.out) == (0, "There was nothing to do.\n")
    assert len(site.asked) == 12


def test_captions_alone_are_searched_by_the_sites_address(cli, shop) -> None:
    addresses, site, folder = shop
    ran = cli(*arguments(addresses, folder), "--captions-only", "--json")
    assert ran.json["outcomes"] == {"kept": 4}
    assert not any("/media/" in path for path in site.paths())
    ran = cli("search", "left sleeve", folder, "--top", "1")
    assert ran.code == 0
    assert "http://127.0.0.1:" in "".join(ran.out.split())
    assert cli("search", "left sleeve", folder, "--files").out == ""
    # Nobody states the length: the captions' end stands for it.
    assert cli("status", folder, "--json").json["seconds"] == 4 * 58.0


def test_the_rest_is_gone_on_with_without_the_list(cli, shop) -> None:
    addresses, _, folder = shop
    ran = cli(*arguments(addresses, folder), "--limit", "1")
    assert ran.code == 0
    assert "3 videos and 0 searches left" in ran.err
    ran = cli("collect", "-L", folder, "--allow-private", "--json")
    assert (ran.code, ran.json["outcomes"], ran.json["left"]) == (
        0,
        {"kept": 3},
        {"searches": 0, "videos": 0},
    )


def test_private_addresses_are_refused_unless_allowed(cli, shop) -> None:
    addresses, site, folder = shop
    ran = cli("collect", "--urls", addresses, "-L", folder)
    assert "refused_address" in ran.out
    assert site.asked == []


def test_a_rate_limit_parks_the_run(cli, shop) -> None:
    addresses, site, folder = shop
    whole = site.answers["/watch/1"]
    site.answers["/watch/1"] = Answer(status=429, headers={"Retry-After": "7200"})
    ran = cli(*arguments(addresses, folder))
    assert ran.code == 3
    assert "Parked until" in ran.err
    assert "rate_limited" in ran.err
    assert f"with:  howto collect --urls {addresses} -L {folder} --allow-private" in ran.err
    site.answers["/watch/1"] = whole
    asked = len(site.asked)
    ran = cli(*arguments(addresses, folder), "--json")
    assert (ran.code, ran.json["outcomes"]) == (3, {})
    (parked,) = ran.json["parked"]
    assert (parked["site"], parked["reason"]) == ("127.0.0.1", "rate_limited")
    assert len(site.asked) == asked
    with Library.open(folder) as library:
        library.connection.execute("UPDATE parked SET until = 1")
        # The video that stopped the site comes up again after the others.
        library.connection.execute(
            "UPDATE candidates SET not_before = 1 WHERE not_before IS NOT NULL"
        )
    ran = cli(*arguments(addresses, folder), "--json")
    assert (ran.code, ran.json["outcomes"]) == (0, {"kept": 3})


def test_what_is_given_up_is_told_and_ends_with_1(cli, shop, monkeypatch) -> None:
    addresses, _, folder = shop

    def broken(self, described, height, into):
        raise ValueError("an odd page")

    monkeypatch.setattr(UrlsSource, "media", broken)
    ran = cli(*arguments(addresses, folder), "--limit", "1")
    assert ran.code == 1
    assert "internal_error: ValueError: an odd page" in ran.err


def test_ctrl_c_stops_and_what_is_done_is_kept(cli, shop, monkeypatch) -> None:
    addresses, _, folder = shop
    media = UrlsSource.media
    asked = []

    def interrupted(self, described, height, into):
        asked.append(described)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return media(self, described, height, into)

    monkeypatch.setattr(UrlsSource, "media", interrupted)
    ran = cli(*arguments(addresses, folder))
    assert ran.code == 130
    assert "run the same command to go on" in ran.err
    ran = cli(*arguments(addresses, folder), "--json")
    assert ran.json["outcomes"] == {"kept": 3}


def test_a_dry_run_asks_for_nothing_and_writes_nothing(cli, shop) -> None:
    addresses, site, folder = shop
    ran = cli(*arguments(addresses, folder), "--dry-run")
    assert ran.code == 0
    assert "at most at 4 videos: 0 known, 4 newly listed" in ran.out
    assert (site.asked, list(folder.iterdir())) == ([], [])
    cli(*arguments(addresses, folder), "--limit", "1")
    planned = cli(*arguments(addresses, folder), "--dry-run", "--json").json
    assert (planned["waiting"], planned["listed"], planned["most_videos"]) == (3, 0, 3)


def test_tasks_that_are_not_visual_are_told(cli, tmp_path: Path) -> None:
    tasks = tmp_path / "tasks.txt"
    tasks.write_text("fold a shirt\nbe happy\nfeel better\n")
    keep = tmp_path / "keep.txt"
    keep.write_text("feel better\n")
    command = ["collect", "--tasks", tasks, "-L", tmp_path, "--dry-run"]
    ran = cli(*command, "--visual-only", "--keep-tasks", keep, "--top", "10")
    assert "Would search for 2 tasks" in ran.out
    assert "Not visual: be happy (be: no physical action)" in ran.err
    assert "1 of 3 tasks left out" in ran.err
    planned = cli(*command, "--visual-only", "--json").json
    assert [one["task"] for one in planned["dropped_tasks"]] == ["be happy", "feel better"]
    assert planned["searches"] == 1


def test_own_files_are_linked_with_their_captions_and_no_filter(cli, videos, tmp_path) -> None:
    (tmp_path / "library").mkdir()
    ran = cli("collect", "--folder", videos, "-L", tmp_path / "library", "--json")
    assert (ran.code, ran.json["outcomes"]) == (0, {"kept": 3})
    status = cli("status", tmp_path / "library", "--json").json
    assert (status["videos"], status["narrations"]) == (3, 2)
    found = cli("search", "sleeve", tmp_path / "library", "--json").json["hits"]
    assert len(found) == 1
    assert "address" not in found[0]


def test_the_report_as_text_json_and_a_table(cli, shop) -> None:
    addresses, site, folder = shop
    del site.answers["/watch/2"]
    cli(*arguments(addresses, folder))
    text = cli("collect", "-L", folder, "--report").out
    assert "1 video gone since listed" in text
    found = cli("collect", "-L", folder, "--report", "--json").json
    assert (found["total"]["videos"], found["total"]["gone"], found["total"]["clips"]) == (3, 1, 87)
    table = cli("collect", "-L", folder, "--report", "--as-csv").out
    (total,) = [row for row in csv.DictReader(io.StringIO(table)) if row["of"] == "total"]
    assert (total["videos"], total["hours"]) == ("3", "0.050")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "there is nothing to do"),
        (["--tasks", "none.txt"], "cannot read none.txt"),
        (["--visual-only"], "name one with --tasks"),
        (["--limit", "0", "--ids", "x"], "--limit 0: expected at least 1"),
        (["--as-csv"], "--as-csv goes with --report"),
        (["--keep-free", "-1"], "--keep-free -1"),
        (["--top", "0"], "top is 0"),
        (["--keep-tasks", "x"], "--keep-tasks overrules --visual-only"),
        (["--exclude", "none.txt"], "cannot read none.txt"),
        (["--urls", "none.txt"], "none.txt"),
        (["--license", "mine"], "mine"),
        (["--language", "English"], "did you mean en?"),
        (["--language", "Germann"], "did you mean de?"),
        (["--language", "xx"], "is no code of a language"),
        (["--language", ""], "is no code of a language"),
    ],
)
def test_wrong_usage(cli, tmp_path: Path, options: list[str], said: str) -> None:
    ran = cli("collect", "-L", tmp_path, *options)
    assert (ran.code, said in ran.err) == (2, True), ran.err


def test_an_option_that_no_source_knows(cli, tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    ran = cli("collect", "--folder", tmp_path / "videos", "-L", tmp_path, "--proxy", "http://x")
    assert (ran.code, "--proxy means nothing to folder" in ran.err) == (2, True)


def test_what_is_here_and_to_be_left_out_is_told(cli, shop, tmp_path: Path) -> None:
    addresses, _, folder = shop
    cli(*arguments(addresses, folder))
    with Library.open(folder) as library:
        row = library.connection.execute("SELECT video_id FROM candidates").fetchone()
    (tmp_path / "exclude.txt").write_text(f"{row[0]}\n")
    ran = cli(*arguments(addresses, folder), "--exclude", tmp_path / "exclude.txt")
    assert f"howto forget {row[0]}" in ran.err


def test_filters_that_were_named_hold_until_others_are(cli, shop) -> None:
    addresses, _, folder = shop
    ran = cli(*arguments(addresses, folder), "--license", "cc-by", "--limit", "1", "--json")
    assert ran.json["outcomes"] == {"licence_unfit": 1}
    ran = cli("collect", "-L", folder, "--allow-private", "--json")
    assert ran.json["outcomes"] == {"licence_unfit": 3}
    planned = cli("collect", "-L", folder, "--license", "any", "--dry-run", "--json").json
    assert planned["waiting"] == 4
    assert cli("collect", "-L", folder, "--dry-run", "--json").json["waiting"] == 0
    ran = cli("collect", "-L", folder, "--allow-private", "--default-rules", "--json")
    assert ran.json["outcomes"] == {"kept": 4}


def test_captions_alone_stay_so_until_media_is_asked_for(cli, shop) -> None:
    addresses, site, folder = shop
    cli(*arguments(addresses, folder), "--captions-only", "--limit", "2")
    cli("collect", "-L", folder, "--allow-private")
    assert not any("/media/" in path for path in site.paths())
    assert cli("status", folder, "--json").json["collecting"] == {"done": 4}
    cli("collect", "-L", folder, "--allow-private", "--media")
    status = cli("status", folder, "--json").json
    assert (status["videos"], status["collecting"]) == (4, {"done": 4})


def test_a_wrong_filter_is_not_kept(cli, shop) -> None:
    addresses, _, folder = shop
    assert cli(*arguments(addresses, folder), "--height", "0").code == 2
    assert cli(*arguments(addresses, folder), "--dry-run").code == 0


def test_private_addresses_go_on_when_they_are_allowed(cli, shop) -> None:
    addresses, _, folder = shop
    cli(*arguments(addresses, folder), "--limit", "1")
    cli("collect", "-L", folder)
    ran = cli("collect", "-L", folder, "--allow-private", "--json")
    assert ran.json["outcomes"] == {"kept": 3}


def test_a_list_beside_own_files_keeps_its_filters(cli, shop, videos) -> None:
    addresses, site, folder = shop
    for number in range(4):
        site.answers[f"/captions/{number}.en.vtt"] = Answer(
            vtt((0, 2, WORDS)).encode(), kind="text/vtt"
        )
    ran = cli(*arguments(addresses, folder), "--json")
    assert ran.json["outcomes"] == {"too_few_words": 4}
    ran = cli("collect", "--folder", videos, "-L", folder, "--allow-private", "--json")
    assert ran.json["outcomes"] == {"kept": 3}


def test_a_search_in_vain_is_named_and_ends_with_1(cli, tmp_path: Path, monkeypatch) -> None:
    def broken(self, task, limit):
        raise ValueError("an odd page")

    monkeypatch.setattr(YouTubeSource, "find", broken)
    (tmp_path / "tasks.txt").write_text("fold a shirt\n")
    command = ["collect", "--tasks", tmp_path / "tasks.txt", "-L", tmp_path]
    ran = cli(*command)
    assert (ran.code, "nothing to do" in ran.out) == (1, False)
    assert "Failed: fold a shirt: internal_error: ValueError: an odd page" in ran.err
    ran = cli("collect", "-L", tmp_path, "--retry", "--json")
    assert [one["task"] for one in ran.json["failed_searches"]] == ["fold a shirt"]


def test_ctrl_c_while_files_are_looked_at_ends_with_130(cli, shop, monkeypatch) -> None:
    addresses, _, folder = shop

    def interrupted(*_arguments, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr("howto.search.refresh.refresh", interrupted)
    assert cli(*arguments(addresses, folder)).code == 130


def test_a_damaged_library_is_not_planned_as_none(cli, shop) -> None:
    addresses, _, folder = shop
    (folder / ".howto").mkdir()
    (folder / ".howto" / "library.db").write_bytes(b"no database" * 1000)
    ran = cli(*arguments(addresses, folder), "--dry-run")
    assert ran.code != 0
    assert "What was collected and what was forgotten stands there alone" in ran.err


@pytest.mark.parametrize("language", ["en", "eng", "en-GB", "pt_br", "zh-Hans", "yue", "haw"])
def test_codes_of_languages(cli, shop, language: str) -> None:
    addresses, _, folder = shop
    ran = cli(*arguments(addresses, folder), "--dry-run", "--language", language)
    assert ran.code == 0


def searching(monkeypatch, *answers: object) -> list[int]:
    """YouTube answers so, one search after another; how deep each was is told."""
    depths: list[int] = []
    waiting = list(answers)

    def find(self, task, limit):
        depths.append(limit)
        answer = waiting.pop(0) if waiting else []
        if isinstance(answer, Exception):
            raise answer
        return iter(answer)

    monkeypatch.setattr(YouTubeSource, "find", find)
    monkeypatch.setattr(YouTubeSource, "polite", Pace())
    monkeypatch.setattr("howto.collect.policy._JITTER", 0.0)
    monkeypatch.setattr("howto.collect.stage.retry_seconds", lambda *_: 0.0)
    return depths


def test_the_depth_of_searches_holds_until_another_is_named(cli, tmp_path, monkeypatch) -> None:
    depths = searching(monkeypatch, *([youtube_candidate("youtube", "abcdefghijk", 1)],) * 4)
    (tmp_path / "tasks.txt").write_text("fold a shirt\n")
    command = ["collect", "--tasks", tmp_path / "tasks.txt", "-L", tmp_path, "--exclude"]
    (tmp_path / "exclude.txt").write_text("abcdefghijk\n")
    command.append(tmp_path / "exclude.txt")
    assert cli(*command, "--top", "20").code == 0
    assert cli(*command).code == 0
    planned = cli(*command, "--dry-run", "--json").json
    assert (depths, planned["searches"]) == ([20], 0)
    assert cli(*command, "--top", "30").code == 0
    assert depths == [20, 30]


def test_a_task_for_which_nothing_is_found_is_named(cli, tmp_path, monkeypatch) -> None:
    depths = searching(monkeypatch)
    (tmp_path / "tasks.txt").write_text("fold a \u202eshirt\n")
    ran = cli("collect", "--tasks", tmp_path / "tasks.txt", "-L", tmp_path)
    assert (ran.code, len(depths)) == (0, 3)
    assert "Searched for 1 task: 0 hits." in ran.out
    assert "Note: nothing was found for fold a" in ran.err
    assert "\u202e" not in ran.err


def test_what_is_given_up_and_then_taken_up_again_is_not_called_failed(
    cli, tmp_path, monkeypatch
) -> None:
    searching(monkeypatch, *[ValueError("an odd page")] * 5)
    (tmp_path / "tasks.txt").write_text("".join(f"fold shirt {n}\n" for n in range(6)))
    ran = cli("collect", "--tasks", tmp_path / "tasks.txt", "-L", tmp_path, "--json")
    assert (ran.code, ran.json["failed_searches"]) == (3, [])
    assert ran.json["left"]["searches"] == 6


NASTY = "\x1b[2J\x1b]0;title\x07 said \u202e the site"


def test_nothing_that_a_site_says_moves_the_cursor(cli, shop, monkeypatch) -> None:
    """Not where it is parked and waited for, nor where a video is given up."""
    addresses, _, folder = shop
    describe = UrlsSource.describe
    answers = [RetryLater(Reason.RATE_LIMITED, NASTY, 0.0), ItemError(Reason.INTERNAL_ERROR, NASTY)]

    def rude(self, candidate):
        if answers:
            raise answers.pop(0)
        return replace(describe(self, candidate), title=NASTY)

    monkeypatch.setattr(UrlsSource, "describe", rude)
    monkeypatch.setattr("howto.collect.stage.park_seconds", lambda *_: 0.05)
    ran = cli(*arguments(addresses, folder), "--wait")
    assert ran.code == 1
    assert "Parked: 127.0.0.1: rate_limited" in ran.err
    assert "Failed: " in ran.err
    shown = ran.out + ran.err + cli("collect", "-L", folder, "--report").out
    for mark in ("\x1b", "\x07", "\u202e"):
        assert mark not in shown


def test_sound_alone_in_a_folder_is_left_out_and_no_failure(cli, tmp_path: Path) -> None:
    folder, library = tmp_path / "mine", tmp_path / "library"
    folder.mkdir()
    library.mkdir()
    with av.open(str(folder / "podcast.wav"), "w") as target:
        stream = target.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), layout="mono")
        frame.sample_rate = 8000
        target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    (folder / "notes.mp4").write_bytes(b"no film at all")
    ran = cli("collect", "--folder", folder, "-L", library, "--json")
    assert (ran.code, ran.json["outcomes"], ran.json["failed"]) == (
        0,
        {"no_video_stream": 1, "not_media": 1},
        [],
    )


def test_the_command_to_go_on_with_unparks_nobody(cli, shop) -> None:
    addresses, site, folder = shop
    site.answers["/watch/1"] = Answer(status=429, headers={"Retry-After": "7200"})
    ran = cli(*arguments(addresses, folder), "--retry")
    assert ran.code == 3
    assert f"with:  howto collect --urls {addresses} -L {folder} --allow-private\n" in ran.err


def test_many_parked_sites_are_counted(cli, shop, monkeypatch) -> None:
    addresses, _, folder = shop
    monkeypatch.setattr("howto.cli.collect.MOST_SHOWN", 2)
    cli(*arguments(addresses, folder), "--limit", "1")
    with Library.open(folder) as library:
        for number in range(5):
            parked = Parked(f"site{number}.example", Reason.NETWORK, "", 9e9, 1)
            Ledger(library).park(parked)
        library.connection.execute("UPDATE candidates SET site = 'site0.example'")
    ran = cli(*arguments(addresses, folder))
    assert ran.err.count("Parked until") == 2
    assert "and 3 more sites are parked" in ran.err
    ran = cli(*arguments(addresses, folder), "--json")
    assert len(ran.json["parked"]) == 5


# The tally of a run that looks at a million videos.


def told(video_id: str, outcome: str, state: str) -> Event:
    return Event("video", video_id, outcome, state, video_id=video_id)


def test_a_tally_holds_no_more_than_what_waits() -> None:
    """So that neither memory nor the time for one event grows with what was done."""
    tally = _Tally()
    for number in range(1000):
        tally.add(told(f"v{number}", "network", Step.LATER))
        tally.add(told(f"v{number}", KEPT, Step.DONE))
    tally.add(told("later", "network", Step.LATER))
    for outcome in ("network", "truncated"):
        tally.add(told("failed", outcome, Step.FAILED))
    assert tally.outcomes == {KEPT: 1000, "network": 1, "truncated": 1}
    assert (list(tally.waiting), list(tally.given_up), tally.ended) == (["later"], ["failed"], 1001)
    assert tally.line() == "1000 kept, 1 network, 1 truncated"
