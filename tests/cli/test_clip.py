"""`howto clip` as a person and as a script meet it."""

import csv
import json
import os
from pathlib import Path

import pytest


def damage(path: Path) -> None:
    """Overwrite a file so that its size and time tell nothing of it."""
    before = path.stat()
    path.write_bytes(bytes(before.st_size))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_the_first_command_on_a_folder(cli, videos: Path) -> None:
    ran = cli("clip", videos)
    assert ran.code == 0, ran.err
    assert "6 pairs by grow" in ran.out
    assert "made for 2 videos now, 0 unchanged" in ran.out
    assert "1 video: no_narration" in ran.out
    assert "made for 0 videos now, 2 unchanged" in cli("clip", "-L", videos).out


def test_json(cli, videos: Path) -> None:
    ran = cli("clip", videos, "--clipper", "lines", "--words", "paper", "--json")
    found = ran.json
    assert (found["made"], found["unchanged"], found["pairs"]) == (2, 0, 6)
    assert found["outcomes"] == {"ok": 2, "no_narration": 1}
    assert found["recipe"]["clipper"] == {"name": "lines", "version": "1"}
    assert found["recipe"]["words"] == "paper"
    assert found["exported"] is found["audit"] is None


def test_dry_run_does_nothing(cli, videos: Path) -> None:
    fresh = cli("clip", videos, "--dry-run")  # no library yet, and it makes none
    assert fresh.code == 0, fresh.err
    assert "pairs of 2 videos with 6 lines" in fresh.out
    assert not (videos / ".howto").exists()
    cli("search", "shirt", videos)
    found = cli("clip", videos, "--dry-run", "--json").json
    assert (found["videos"], found["to_do"], found["lines"]) == (3, 2, 6)
    assert found["skipped"] == {"no_narration": 1}
    assert "pairs of 2 videos with 6 lines, in about 1 s" in cli("clip", videos, "--dry-run").out
    assert cli("clip", videos, "--dry-run", "--json").json["to_do"] == 2


def test_only_limits_what_is_made_and_exported(cli, videos: Path, tmp_path: Path) -> None:
    cli("clip", videos)
    ran = cli("clip", videos, "--only", "shirts/*", "--export", "csv", "--to", tmp_path / "p.csv")
    assert "4 pairs by grow" in ran.out
    with (tmp_path / "p.csv").open(newline="") as file:
        assert {row["video"] for row in csv.DictReader(file)} == {"shirts/fold.mp4"}
    assert cli("clip", videos, "--limit", "1", "--clipper", "lines", "--json").json["made"] == 1


def test_too_few_words_are_left_out_until_there_are_enough(
    cli, videos: Path, tmp_path: Path
) -> None:
    """pancakes has 10 words, shirts/fold 23."""
    clip = ("clip", videos, "--clipper", "lines")
    assert cli(*clip, "--json").json["pairs"] == 6
    cli("transcribe", videos, "--min-narration-words", "11")
    dry = cli(*clip, "--dry-run", "--json").json
    assert (dry["to_do"], dry["skipped"]) == (0, {"no_narration": 1, "too_few_words": 1})
    ran = cli(*clip, "--export", "csv", "--to", tmp_path / "p.csv")
    assert ran.code == 0, ran.err
    assert "4 pairs by lines" in ran.out
    assert "1 video: too_few_words, the narration has fewer words than were asked for" in ran.out
    assert "pancakes" not in (tmp_path / "p.csv").read_text()
    ended = {
        one["video"]: (one["state"], one["reason"], one["detail"])
        for one in cli("status", videos, "--json").json["outcomes"]
        if one["stage"] == "clip"
    }
    few = ("skipped", "too_few_words", "10 words: expected at least 11")
    assert ended["pancakes.mp4"] == few
    assert ended["shirts/fold.mp4"] == ("ok", None, "")
    # Of another set, made for the first time, it is left out too.
    assert cli("clip", videos, "--clipper", "windows", "--json").json["made"] == 1
    # More is said now.
    with (videos / "pancakes.srt").open("a") as file:
        file.write("\n3\n00:00:09,000 --> 00:00:12,000\nwait until it is brown\n")
    found = cli(*clip, "--json").json
    assert (found["made"], found["pairs"], found["outcomes"]["ok"]) == (1, 7, 1)


def test_drop_below(cli, videos: Path, tmp_path: Path) -> None:
    options = ("--clipper", "lines", "--export", "caption-json", "--to", tmp_path / "c.json")
    cli("clip", videos, "--drop-below", "0.5", *options)
    videos_of_file = json.loads((tmp_path / "c.json").read_text()).values()
    texts = [text for video in videos_of_file for text in video["text"]]
    assert "hello and welcome back" not in texts
    assert "now fold the left sleeve of the shirt" in texts


def test_candidates_and_webdataset(cli, videos: Path, tmp_path: Path) -> None:
    options = ("--export", "webdataset", "--to", tmp_path / "shards", "--json")
    ran = cli("clip", videos, "--candidates", "3", *options)
    assert ran.json["recipe"]["candidates"] == 3
    assert ran.json["exported"] == {"path": str(tmp_path / "shards"), "pairs": 6, "lost": []}


def test_clips_that_cannot_be_cut_are_lost_and_told(cli, videos: Path, tmp_path: Path) -> None:
    cli("clip", videos, "--only", "pan*")
    damage(videos / "pancakes.mp4")
    ran = cli("clip", videos, "--export", "webdataset", "--media", "--to", tmp_path / "shards")
    assert ran.code == 1
    assert "Exported 4 pairs" in ran.out
    assert ran.err.count("Failed: pancakes.mp4 ") == 2


def test_audit(cli, videos: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "audit.html"
    ran = cli("clip", videos, "--audit", "4", "--sheet", sheet)
    assert ran.code == 0
    assert "Audit sheet of 4 pairs" in ran.out
    first = sheet.read_text()
    cli("clip", videos, "--audit", "4", "--sheet", sheet)
    assert sheet.read_text() == first
    cli("clip", videos, "--audit", "4", "--sheet", sheet, "--seed", "1")
    assert sheet.read_text() != first


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--clipper", "line"), "Did you mean 'lines'?"),
        (("--clipper", "lines", "--min-words", "3"), "takes no min_words; it takes no option"),
        (("--clipper", "windows", "--min-seconds", "5"), "takes no min_seconds; it takes"),
        (("--sheet", "x.html"), "go with --audit"),
        (("--seed", "0"), "go with --audit"),
        (("--words", "some"), "There are: paper, all"),
        (("--drop-below", "2"), "0 to 1"),
        (("--candidates", "0"), "expected 1 to"),
        (("--export", "csv"), "give both"),
        (("--to", "x.csv"), "give both"),
        (("--export", "csv", "--to", "x.txt"), ".csv"),
        (("--media",), "--export webdataset"),
        (("--audit", "3", "--sheet", "x.png"), ".html"),
        (("--limit", "-1"), "0 or more"),
    ],
)
def test_requests_that_mean_nothing(cli, videos: Path, options: tuple[str, ...], said: str) -> None:
    ran = cli("clip", videos, *options)
    assert ran.code == 2
    assert said in ran.err
    assert ran.out == ""


def test_a_failing_video_is_told_and_the_rest_is_done(cli, videos: Path) -> None:
    cli("search", "shirt", videos)
    damage(videos / "pancakes.mp4")
    ran = cli("clip", videos, "--clipper", "shots", "--json")
    assert ran.code == 1
    assert ran.json["outcomes"] == {"ok": 1, "not_media": 1, "no_narration": 1}
    assert [one["reason"] for one in ran.json["failed"]] == ["not_media"]
    assert "not_media" in cli("status", videos).out


def test_stopping_says_how_to_go_on(cli, videos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("howto.cli.clip.clip_videos", stop)
    ran = cli("clip", videos)
    assert ran.code == 130
    assert "run the same command to go on" in ran.err


def test_pairs_of_an_older_narration_are_not_exported(cli, videos: Path, tmp_path: Path) -> None:
    cli("clip", videos)
    (videos / "pancakes.srt").write_text("1\n00:00:02,000 --> 00:00:05,000\nToss the pancake\n")
    options = ("clip", videos, "--limit", "0", "--export", "csv", "--to", tmp_path / "p.csv")
    ran = cli(*options)
    assert "made for 0 videos now, 1 unchanged, 1 left past the limit" in ran.out
    assert "4 pairs by grow" in ran.out
    with (tmp_path / "p.csv").open(newline="") as file:
        assert {row["video"] for row in csv.DictReader(file)} == {"shirts/fold.mp4"}
    audited = cli("clip", videos, "--limit", "0", "--audit", "9", "--sheet", tmp_path / "a.html")
    assert "Audit sheet of 4 pairs" in audited.out
    found = cli("clip", videos, "--dry-run", "--limit", "0", "--json").json
    assert (found["to_do"], found["left"]) == (0, 1)
    cli(*options[:2], *options[4:])
    with (tmp_path / "p.csv").open(newline="") as file:
        assert "Toss the pancake" in {row["caption"] for row in csv.DictReader(file)}


def test_videos_that_cannot_be_probed_are_left_out_for_that_reason(cli, videos: Path) -> None:
    (videos / "text.mp4").write_text("not a video")
    (videos / "text.en.srt").write_text("1\n00:00:02,000 --> 00:00:05,000\nfold the sleeve\n")
    assert cli("clip", videos, "--json").json["outcomes"] == {
        "not_media": 1,
        "no_narration": 1,
        "ok": 2,
    }
