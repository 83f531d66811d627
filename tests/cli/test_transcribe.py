"""`howto transcribe`: one file printed, and a library narrated."""

import json
import sys
from pathlib import Path

import pytest

from howto.library import Library
from howto.records import Stage
from howto.transcribe import stage
from howto.transcribe.ask import Wish
from howto.transcribe.ends import Ends
from howto.transcribe.stage import plan, transcribe

ROLLING = """WEBVTT
Kind: captions
Language: en

00:00:01.000 --> 00:00:02.990 align:start position:0%
_
fold<00:00:01.400><c> it</c>

00:00:02.990 --> 00:00:03.000 align:start position:0%
fold it
_

00:00:03.000 --> 00:00:06.000 align:start position:0%
fold it
[Music]

00:00:06.000 --> 00:00:09.000 align:start position:0%
[Music]
press<00:00:06.500><c> it</c>
""".replace("\n_\n", "\n \n")

PARROT = """
from howto.errors import CaptionError, Reason
from howto.records import Kind, Line, Narration

class Parrot:
    name = "parrot"
    listens = True
    sound_per_second = 0.5

    def __init__(self, language="en"):
        self.language = language

    def narrate(self, video):
        with open({log!r}, "a") as log:
            print(video.path.name, file=log)
        if "stop" in video.path.name:
            raise KeyboardInterrupt
        if "broken" in video.path.name:
            raise CaptionError(Reason.NOT_MEDIA, "cannot hear this")
        if "quiet" in video.path.name:
            return None
        line = Line(3.0, 5.0, f"this is {{video.path.stem}} speaking")
        return Narration((line,), self.language, Kind.AUTOMATIC, "parrot 1")
"""


@pytest.fixture
def rolling(tmp_path: Path) -> Path:
    path = tmp_path / "talk.en.vtt"
    path.write_text(ROLLING)
    return path


@pytest.fixture
def parrot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recogniser with a known answer; returns the file in which it notes what it listened to."""
    site, log = tmp_path / "site", tmp_path / "heard.txt"
    info = site / "parrot_t-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "parrot_for_transcribe.py").write_text(PARROT.format(log=str(log)))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: parrot_t\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[howto.asr]\nparrot = parrot_for_transcribe:Parrot\n")
    monkeypatch.syspath_prepend(site)
    sys.modules.pop("parrot_for_transcribe", None)
    log.touch()
    return log


@pytest.fixture
def spoken(tmp_path: Path, small_video) -> Path:
    folder = tmp_path / "spoken"
    folder.mkdir()
    for shade, name in enumerate(["broken", "plain", "quiet"]):
        small_video(folder / f"{name}.mp4", shade=shade, seconds=10, sound=True)
    (folder / "captioned.vtt").write_text(ROLLING)
    small_video(folder / "captioned.mp4", shade=7)
    return folder


def ended(ran) -> dict[str, str | None]:
    return {one["video"]: one["reason"] for one in ran.json["outcomes"]}


# Files.


def test_a_file_as_a_table(cli, rolling: Path) -> None:
    ran = cli("transcribe", rolling)
    assert ran.code == 0
    assert "2 lines, en, automatic, 4 words with times" in ran.out
    assert [row.split() for row in ran.out.splitlines()[2:]] == [
        ["1.000", "2.200", "fold", "it"],
        ["6.000", "7.300", "press", "it"],
    ]
    assert not (rolling.parent / ".howto").exists()


def test_a_file_as_json(cli, rolling: Path) -> None:
    found = cli("transcribe", "--json", rolling).json
    assert (found["language"], found["kind"], found["problems"]) == ("en", "automatic", [])
    assert found["lines"][0]["words"] == [
        {"start": 1.0, "end": 1.4, "text": "fold"},
        {"start": 1.4, "end": 2.2, "text": "it"},
    ]


def test_a_file_in_other_formats_and_by_the_paper_s_rule(cli, rolling: Path) -> None:
    assert cli("transcribe", "--csv", rolling).out == (
        "start,end,text\n1.0,2.2,fold it\n6.0,7.3,press it\n"
    )
    assert cli("transcribe", "--srt", rolling).out.startswith(
        "1\n00:00:01,000 --> 00:00:02,200\nfold it\n\n2\n"
    )
    vtt = cli("transcribe", "--vtt", rolling, "--ends", "paper").out
    assert vtt.startswith("WEBVTT\nLanguage: en\n\n00:00:01.000 --> 00:00:06.000\nfold it\n")


def test_problems_are_notes(cli, tmp_path: Path) -> None:
    path = tmp_path / "a.vtt"
    path.write_text("WEBVTT\n\n00:0x.000 --> 00:01.000\nlost\n\n00:02.000 --> 00:03.000\nit\n")
    ran = cli("transcribe", path, "--csv")
    assert (ran.code, ran.out) == (0, "start,end,text\n2.0,3.0,it\n")
    assert ", line 3: expected a timing" in ran.err


def test_files_that_cannot_be_read(cli, tmp_path: Path, rolling: Path) -> None:
    (tmp_path / "empty.json3").touch()
    ran = cli("transcribe", tmp_path / "empty.json3", rolling, "--csv")
    assert ran.code == 1
    assert "empty.json3: the site answered with nothing" in ran.err
    assert "press it" in ran.out


def test_the_authors_file_of_many_videos(cli, tmp_path: Path) -> None:
    columns = {"start": [1.5], "end": [2.5], "text": ["fold"]}
    path = tmp_path / "caption.json"
    path.write_text(json.dumps({"a-1": columns, "b-2": columns}))
    assert cli("transcribe", path, "--only", "b-*", "--csv").out == (
        "start,end,text\n1.5,2.5,fold\n"
    )
    rows = cli("transcribe", path, "--json").out.splitlines()
    assert [json.loads(row)["video_id"] for row in rows] == ["a-1", "b-2"]
    assert "choose one with --only" in cli("transcribe", path).err
    assert cli("transcribe", path, "--only", "c", "--csv").code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["FILE", "--csv", "--srt"],
        ["FILE", "--json", "--vtt"],
        ["FILE", "FOLDER"],
        ["FILE", "--asr", "sidecar"],
        ["FOLDER", "FOLDER"],
        ["FOLDER", "--csv"],
        ["FOLDER", "--limit", "0"],
        ["gone.vtt"],
        ["FILE", "--ends", "sometimes"],
    ],
)
def test_wrong_usage(cli, rolling: Path, tmp_path: Path, arguments: list[str]) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    real = {"FILE": rolling, "FOLDER": folder}
    assert cli("transcribe", *(real.get(one, one) for one in arguments)).code == 2


# A library.


def test_quick_sources_by_default_and_nothing_done_twice(
    cli, spoken: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = cli("transcribe", spoken, "--json")
    assert ran.code == 0
    assert ended(ran) == {
        "broken.mp4": "no_narration",
        "captioned.mp4": None,
        "plain.mp4": "no_narration",
        "quiet.mp4": "no_narration",
    }
    asked = []

    def nobody(planned: stage.Plan, workers: int | None) -> list:
        asked.extend(planned.jobs)
        return []

    monkeypatch.setattr(stage, "_answers", nobody)
    again = cli("transcribe", "-L", spoken)
    assert asked == []
    assert again.code == 0
    assert "no_narration" in again.out
    (hit,) = cli("search", "press", spoken, "--json").json["hits"]
    assert (hit["start"], hit["end"]) == (6, 7.3)


def test_a_recogniser_listens_when_named_once(cli, spoken: Path, parrot: Path) -> None:
    ran = cli("transcribe", spoken, "--asr", "sidecar,parrot", "--json")
    assert ran.code == 1
    assert ended(ran) == {
        "broken.mp4": "not_media",
        "captioned.mp4": None,
        "plain.mp4": None,
        "quiet.mp4": "nothing_said",
    }
    assert parrot.read_text().split() == ["broken.mp4", "plain.mp4", "quiet.mp4"]
    (hit,) = cli("search", "speaking", spoken, "--json").json["hits"]
    assert (hit["video"], hit["start"]) == ("plain.mp4", 3)
    again = cli("transcribe", spoken, "--asr", "sidecar,parrot", "--json")
    assert ended(again) == ended(ran)
    # What failed is tried again; what was heard, and what is silent, is not.
    assert parrot.read_text().split()[3:] == ["broken.mp4"]
    # Named first it is asked first, also where there are captions.
    cli("transcribe", spoken, "--asr", "parrot,sidecar", "--only", "capt*")
    assert parrot.read_text().split()[4:] == ["captioned.mp4"]
    with Library.open(spoken) as library:
        number = library.number_of_file("captioned.mp4")
        assert library.narration_source(number) == "parrot"


def test_failures_are_listed(cli, spoken: Path, parrot: Path) -> None:
    ran = cli("transcribe", spoken, "--asr", "parrot", "--only", "broken*")
    assert ran.code == 1
    assert "not_media" in ran.out
    assert "Failed: broken.mp4: not_media: cannot hear this" in ran.err


def test_stopping_keeps_what_is_done(cli, spoken: Path, parrot: Path) -> None:
    (spoken / "quiet.mp4").rename(spoken / "stop.mp4")
    ran = cli("transcribe", spoken, "--asr", "parrot", "--json")
    assert ran.code == 130
    assert "run the same command to go on" in ran.err
    # In order of the paths: broken, captioned and plain were done before.
    assert set(ended(ran)) == {"broken.mp4", "captioned.mp4", "plain.mp4"}
    assert cli("search", "speaking", spoken, "--json").json["hits"]
    (spoken / "stop.mp4").rename(spoken / "quiet.mp4")
    assert cli("transcribe", spoken, "--asr", "parrot", "--only", "[cpq]*").code == 0
    assert parrot.read_text().split().count("plain.mp4") == 1


def test_dry_run_limit_and_only(cli, spoken: Path, parrot: Path) -> None:
    assert cli("transcribe", spoken, "--dry-run").code == 1  # no library yet, and none is made
    assert not (spoken / ".howto").exists()
    cli("transcribe", spoken)
    options = ["transcribe", spoken, "--asr", "sidecar,parrot", "--only", "[bpq]*", "--limit", "2"]
    found = cli(*options, "--dry-run", "--json").json
    # 10 s of sound each, at half real time.
    assert found == {
        "sources": ["sidecar", "parrot"],
        "videos": ["broken.mp4", "plain.mp4"],
        "done": 0,
        "left": 1,
        "seconds": 40.0,
    }
    assert "2 videos to ask sidecar, parrot for, about 40 s" in cli(*options, "--dry-run").out
    assert parrot.read_text() == ""
    cli(*options)
    assert parrot.read_text().split() == ["broken.mp4", "plain.mp4"]


def test_too_few_words_is_an_outcome_and_can_be_taken_back(cli, spoken: Path) -> None:
    options = ["transcribe", spoken, "--json", "--only", "capt*", "--min-narration-words"]
    ran = cli(*options, "5")
    assert ran.code == 0
    assert ran.json["outcomes"][0]["detail"] == "4 words: expected at least 5"
    assert ended(ran) == {"captioned.mp4": "too_few_words"}
    rows = cli("status", spoken, "--json").json["outcomes"]
    (row,) = [
        one for one in rows if (one["video"], one["stage"]) == ("captioned.mp4", "transcribe")
    ]
    assert (row["state"], row["reason"]) == ("skipped", "too_few_words")
    assert cli("search", "press", spoken, "--json").json["hits"]
    assert ended(cli(*options, "4")) == {"captioned.mp4": None}


def test_language_and_ends_make_another_narration(cli, spoken: Path) -> None:
    (spoken / "captioned.de.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:02.000\nfalten\n")
    cli("transcribe", spoken)
    assert cli("search", "press", spoken, "--json").json["hits"]
    cli("transcribe", spoken, "--language", "de", "--only", "capt*")
    assert not cli("search", "press", spoken, "--json").json["hits"]
    assert cli("search", "falten", spoken, "--json").json["hits"]
    cli("transcribe", spoken, "--ends", "paper", "--only", "capt*")
    (hit,) = cli("search", "press", spoken, "--json").json["hits"]
    assert hit["end"] == 9


def test_unknown_sources_are_told_before_any_work(cli, spoken: Path) -> None:
    ran = cli("transcribe", spoken, "--asr", "sidecat")
    assert ran.code == 1
    assert "Did you mean 'sidecar'" in ran.err


def test_quality_is_shown_by_status(cli, spoken: Path) -> None:
    cli("transcribe", spoken)
    out = cli("status", spoken).out
    assert "Narration: 4 words, 1.6 a second, nothing said in 88%, 50% common words" in out
    (quality,) = cli("status", spoken, "--json").json["narration_quality"]
    assert quality == {
        "video": "captioned.mp4",
        "num_words": 4,
        "words_per_second": pytest.approx(1.6),
        "non_speech_share": pytest.approx(0.875),
        "language_share": 0.5,
        "lines_outside": 0,
    }


def test_the_stage_from_a_notebook(videos: Path) -> None:
    from howto.search.refresh import refresh

    with Library.open(videos) as library:
        refresh(library, workers=1)
        planned = plan(library, Wish(ends=Ends.SPEECH), only="shirts/*")
        assert [job.path for job in planned.jobs] == ["shirts/fold.mp4"]
        (outcome,) = transcribe(library, planned, workers=1)
        assert (outcome.stage, outcome.reason) == (Stage.TRANSCRIBE, None)
        assert outcome.paths == ("shirts/fold.mp4",)
        assert not plan(library, Wish(ends=Ends.SPEECH), only="shirts/*").jobs
