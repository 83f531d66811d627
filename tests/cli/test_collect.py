"""`howto collect`: a library from a site on loopback, parked, gone on with, reported."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from howto.collect.fetched import Pace
from howto.collect.sources.urls import UrlsSource
from howto.collect.sources.youtube import YouTubeSource
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
