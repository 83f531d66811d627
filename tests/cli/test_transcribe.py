"""`howto transcribe`: one file printed, and a library narrated."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from howto.library import Library
from howto.records import Stage, State, Video
from howto.testing.media import media_info
from howto.transcribe import asking, stage
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
import os
import time

from howto.errors import CaptionError, Reason
from howto.records import Kind, Line, Narration

class Parrot:
    name = "parrot"
    listens = True
    sound_per_second = 0.5

    def __init__(self, language="en"):
        self.language = language
        self.model = None

    def narrate(self, video):
        self.model = self.model or self.load()
        with open({log!r}, "a") as log:
            print(video.path.name, file=log)
        if "hang" in video.path.name:
            time.sleep(600)
        if "crash" in video.path.name:
            os._exit(77)
        if "broken" in video.path.name:
            raise CaptionError(Reason.NOT_MEDIA, "cannot hear this")
        if "quiet" in video.path.name:
            return None
        line = Line(3.0, 5.0, f"this is {{video.path.stem}} speaking")
        return Narration((line,), self.language, Kind.AUTOMATIC, "parrot 1")

    def load(self):
        with open({log!r} + ".loads", "a") as log:
            print(os.getpid(), file=log)
        return "a model"
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
    ran = cli("transcribe", tmp_path / "empty.json3", rolling)
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


def test_ends_of_the_authors_file(cli, tmp_path: Path) -> None:
    columns = {"start": [1, 2, 3, 4], "end": [4, 5, 6, 7], "text": ["a", "b", "c", "d"]}
    path = tmp_path / "caption.json"
    path.write_text(json.dumps({"v": columns}))
    for rule, ends in (("speech", [2, 3, 4, 7]), ("paper", [3, 4, 6, 7])):
        lines = cli("transcribe", path, "--ends", rule, "--json").json["lines"]
        assert [line["end"] for line in lines] == ends


def test_no_such_video_is_wrong_usage_in_every_form(cli, tmp_path: Path) -> None:
    path = tmp_path / "caption.json"
    path.write_text(json.dumps({"v": {"start": [1], "end": [2], "text": ["a"]}}))
    for form in ("--json", "--csv"):
        ran = cli("transcribe", path, "--only", "nope", form)
        assert (ran.code, ran.out) == (2, "")


def test_several_files_as_json_are_one_object_a_line(cli, rolling: Path) -> None:
    other = rolling.with_name("other.en.vtt")
    other.write_text(ROLLING)
    rows = cli("transcribe", rolling, other, "--json").out.splitlines()
    assert [json.loads(row)["file"] for row in rows] == [str(rolling), str(other)]


def test_many_notes_are_counted(cli, tmp_path: Path) -> None:
    path = tmp_path / "a.vtt"
    path.write_text("WEBVTT\n\n" + "00:0x.000 --> 00:01.000\nx\n\n" * 23)
    path.write_text(path.read_text() + "00:02.000 --> 00:03.000\nit\n")
    notes = cli("transcribe", path, "--csv").err.splitlines()
    assert len(notes) == 21
    assert notes[-1].endswith("and 3 more; --json has all")


def test_youtube_s_json3_may_be_called_json(cli, tmp_path: Path) -> None:
    path = tmp_path / "talk.en.json"
    path.write_text(
        '{"events": [{"tStartMs": 1000, "dDurationMs": 500, "segs": [{"utf8": "hi"}]}]}'
    )
    ran = cli("transcribe", path, "--csv")
    assert (ran.code, ran.out) == (0, "start,end,text\n1.0,1.5,hi\n")
    assert "named .json, but holds json3" in ran.err


def test_a_video_beside_says_where_its_name_ends(cli, tmp_path: Path) -> None:
    for name in ("how.to.do.it", "part.1"):
        (tmp_path / f"{name}.mp4").touch()
    cues = "1\n00:00:01,000 --> 00:00:02,000\nfold\n"
    for name, language in (("how.to.do.it.srt", None), ("part.1.no.srt", "no")):
        (tmp_path / name).write_text(cues)
        assert cli("transcribe", tmp_path / name, "--json").json["language"] == language


@pytest.mark.parametrize(
    "arguments",
    [
        ["FILE", "--csv", "--srt"],
        ["FILE", "--json", "--vtt"],
        ["FILE", "FOLDER"],
        ["FILE", "--asr", "sidecar"],
        ["FOLDER", "FOLDER"],
        ["FOLDER", "--csv"],
        ["FOLDER", "--limit", "-1"],
        ["FOLDER", "--asr", ","],
        ["FOLDER", "--min-narration-words", "-1"],
        ["FILE", "--min-narration-words", "3"],
        ["FILE", "--state-dir", "FOLDER"],
        ["FILE", "--only", "x*"],
        ["FILE", "FILE", "--csv"],
        ["FILE", "FILE", "--vtt"],
        ["FILE", "--option", "whisper.model=small"],
        ["FOLDER", "--asr", "sidecar", "--option", "embedded.language=de"],
        ["FOLDER", "--option", "sidecar=de"],
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

    def nobody(videos: list, *_: object, **__: object) -> list:
        asked.extend(videos)
        return []

    monkeypatch.setattr(stage, "answers", nobody)
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


def loads(parrot: Path) -> list[int]:
    """The processes in which the recogniser loaded its model, one for each time."""
    return [int(one) for one in Path(f"{parrot}.loads").read_text().split()]


def test_a_model_is_loaded_once_and_in_a_process_of_its_own(
    cli, spoken: Path, parrot: Path
) -> None:
    cli("transcribe", spoken, "--asr", "parrot")
    assert len(parrot.read_text().split()) == 4
    (process,) = loads(parrot)
    assert process != os.getpid()


def test_a_recogniser_that_crashes_or_hangs_costs_one_video(
    cli, spoken: Path, parrot: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are heard, by a process that loads the model anew."""
    monkeypatch.setattr(asking, "_LOADING_SECONDS", 5.0)
    monkeypatch.setattr(asking, "_SLOWER", 0.0)
    (spoken / "broken.mp4").rename(spoken / "crash.mp4")
    (spoken / "captioned.mp4").rename(spoken / "hang.mp4")
    ran = cli("transcribe", spoken, "--asr", "parrot", "--json", "--only", "[chpq]*")
    assert ran.code == 1
    assert ended(ran) == {
        "crash.mp4": "decoder_crashed",
        "hang.mp4": "time_limit",
        "plain.mp4": None,
        "quiet.mp4": "nothing_said",
    }
    assert parrot.read_text().split() == ["crash.mp4", "hang.mp4", "plain.mp4", "quiet.mp4"]
    assert len(set(loads(parrot))) == 3
    details = {one["video"]: one["detail"] for one in ran.json["outcomes"]}
    assert details["crash.mp4"] == "exit code 77"
    assert details["hang.mp4"] == "no result within 5 s"
    assert cli("search", "speaking", spoken, "--json").json["hits"]
    again = cli("transcribe", spoken, "--asr", "parrot", "--only", "[pq]*")
    assert (again.code, len(parrot.read_text().split())) == (0, 4)


def test_a_source_that_cannot_be_used_ends_the_command(cli, spoken: Path, parrot: Path) -> None:
    module = Path(sys.path[0]) / "parrot_for_transcribe.py"
    unusable = 'from howto.errors import PluginError\n        raise PluginError("no weights")'
    module.write_text(module.read_text().replace('return "a model"', unusable))
    ran = cli("transcribe", spoken, "--asr", "parrot")
    assert (ran.code, ran.out) == (1, "")
    assert "Error: no weights" in ran.err


def test_the_time_limit_grows_with_the_sound() -> None:
    class Slow:
        listens, sound_per_second = True, 2.0

    class Quick:
        listens, sound_per_second = False, float("inf")

    short, long = (Video("v", Path("v"), info=media_info(seconds)) for seconds in (60.0, 36_000.0))
    assert asking.longest(short, [Quick()]) == asking.longest(long, [Quick()]) == 120
    assert asking.longest(long, [Quick(), Slow()]) - asking.longest(short, [Slow()]) == (
        pytest.approx(60 * (36_000 - 60) / 2)
    )


def transcribed(folder: Path) -> int:
    """How many of the videos that a recogniser may hear have ended."""
    with Library.open(folder) as library:
        return sum(
            one.stage == Stage.TRANSCRIBE
            and (one.state == State.FAILED or library.narration_source(number) == "parrot")
            for one in library.outcomes()
            for number in library.numbers([one.video_id]).values()
        )


def test_stopping_keeps_what_is_done(cli, spoken: Path, parrot: Path) -> None:
    """As Ctrl-C does: every process of the terminal is interrupted."""
    (spoken / "quiet.mp4").rename(spoken / "then-hang.mp4")
    program = Path(sys.executable).with_name("howto")
    process = subprocess.Popen(
        [program, "transcribe", spoken, "--asr", "parrot", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": sys.path[0]},
        start_new_session=True,
    )
    try:
        # The worker listens ahead of what is committed.
        while process.poll() is None and (
            "then-hang.mp4" not in parrot.read_text() or transcribed(spoken) < 3
        ):
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, err
    assert b"run the same command to go on" in err
    # In order of the paths: broken, captioned and plain were done before.
    stopped = {one["video"] for one in json.loads(out)["outcomes"]}
    assert stopped == {"broken.mp4", "captioned.mp4", "plain.mp4"}
    for worker in loads(parrot):
        with pytest.raises(ProcessLookupError):
            os.kill(worker, 0)
    assert cli("search", "speaking", spoken, "--json").json["hits"]
    (spoken / "then-hang.mp4").rename(spoken / "quiet.mp4")
    assert cli("transcribe", spoken, "--asr", "parrot", "--only", "[cpq]*").code == 0
    assert parrot.read_text().split().count("plain.mp4") == 1


def test_dry_run_limit_and_only(cli, spoken: Path, parrot: Path) -> None:
    fresh = cli("transcribe", spoken, "--dry-run")  # no library yet, and none is made
    assert (fresh.code, fresh.err) == (0, "")
    assert "0 videos to ask sidecar, embedded for" in fresh.out
    named = cli("transcribe", spoken, "--dry-run", "--asr", "sidecar,parrot", "--json").json
    assert named["videos"] == ["broken.mp4", "plain.mp4", "quiet.mp4"]
    assert not (spoken / ".howto").exists()
    cli("transcribe", spoken)
    options = ["transcribe", spoken, "--asr", "sidecar,parrot", "--only", "[bpq]*", "--limit", "2"]
    found = cli(*options, "--dry-run", "--json").json
    # 10 s of sound each, at half real time.
    assert found == {
        "sources": ["sidecar", "parrot"],
        "videos": ["broken.mp4", "plain.mp4"],
        "done": 0,
        "unprobed": 0,
        "left": 1,
        "seconds": 40.0,
    }
    assert "2 videos to ask sidecar, parrot for, about 40 s" in cli(*options, "--dry-run").out
    assert parrot.read_text() == ""
    cli(*options)
    assert parrot.read_text().split() == ["broken.mp4", "plain.mp4"]


def test_a_dry_run_in_a_terminal_names_files_without_moving_its_cursor(
    cli, spoken: Path, parrot: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (spoken / "plain.mp4").rename(spoken / "a\nb\x1b[31mc.mp4")
    asked = ("transcribe", spoken, "--asr", "parrot", "--only", "a*", "--dry-run")
    cli(*asked)
    assert "a\nb\x1b[31mc.mp4\n" in cli(*asked).out
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert "a\\nb\\x1b[31mc.mp4\n" in cli(*asked).out


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


# What stays.


def recipe_and_outcome(folder: Path, name: str) -> tuple[dict, str | None]:
    """The recipe of a video's narration, and the reason that transcribing it ended with."""
    with Library.open(folder) as library:
        number = library.number_of_file(name)
        outcomes = {
            one.paths[0]: one.reason for one in library.outcomes() if one.stage == Stage.TRANSCRIBE
        }
        return dict(library.narration_recipe(number).parts), outcomes[name]


@pytest.mark.parametrize("first", ["sidecar", "parrot"])
def test_asking_sources_that_have_nothing_takes_nothing_away(
    cli, spoken: Path, parrot: Path, first: str
) -> None:
    """Whatever the narration is from, and whichever source is asked then."""
    name = {"sidecar": "captioned.mp4", "parrot": "plain.mp4"}[first]
    options = ["transcribe", spoken, "--only", name, "--asr"]
    assert cli(*options, first).code == 0
    heard = parrot.read_text()
    for sources in ("embedded", "embedded,sidecar"):
        ran = cli(*options, sources, "--json")
        assert ended(ran) == {name: None}
        assert recipe_and_outcome(spoken, name)[0]["source"] == first
    assert ended(cli("transcribe", spoken, "--json"))[name] is None
    assert parrot.read_text() == heard
    notes = cli("search", "rope", spoken, "--json").json["notes"]
    silent = {"captioned.mp4": 3, "plain.mp4": 2}[name]
    assert any(note.startswith(f"{silent} videos with sound have no") for note in notes)


def test_what_had_nothing_is_told_and_not_asked_again(cli, spoken: Path, parrot: Path) -> None:
    (spoken / "quiet.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:02.000\nfold\n")
    options = ["transcribe", spoken, "--only", "quiet*", "--asr"]
    cli(*options, "sidecar")
    said = "Note: quiet.mp4: parrot had nothing; the narration of sidecar stays"
    assert said in cli(*options, "parrot").err
    assert said in cli(*options, "parrot").err
    assert parrot.read_text().split() == ["quiet.mp4"]
    # Another language is another question.
    cli(*options, "parrot", "--language", "de")
    assert parrot.read_text().split() == ["quiet.mp4"] * 2
    assert recipe_and_outcome(spoken, "quiet.mp4")[1] is None


def test_a_failure_takes_nothing_away_and_is_tried_again(cli, spoken: Path, parrot: Path) -> None:
    (spoken / "broken.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:02.000\nfold\n")
    options = ["transcribe", spoken, "--only", "broken*", "--json"]
    assert cli(*options).code == 0
    for times in (1, 2):
        ran = cli(*options, "--asr", "parrot")
        assert (ran.code, ended(ran)) == (1, {"broken.mp4": "not_media"})
        assert parrot.read_text().split() == ["broken.mp4"] * times
    assert recipe_and_outcome(spoken, "broken.mp4")[1] is None


def test_a_source_that_is_wanted_more_is_asked_even_where_another_has_it(
    cli, spoken: Path, parrot: Path
) -> None:
    (spoken / "plain.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:02.000\nby hand\n")
    cli("transcribe", spoken, "--asr", "parrot", "--only", "[pq]*")
    heard = parrot.read_text()
    options = ["transcribe", spoken, "--asr", "sidecar,parrot", "--only", "[pq]*"]
    cli(*options)
    recipe, _ = recipe_and_outcome(spoken, "plain.mp4")
    assert (recipe["source"], "had_nothing" in recipe) == ("sidecar", False)
    # Where captions had nothing what was heard stays, and is not heard again.
    (spoken / "plain.vtt").unlink()
    cli("transcribe", spoken, "--asr", "parrot", "--only", "[pq]*")
    assert len(parrot.read_text().split()) == len(heard.split()) + 1
    cli(*options)
    cli(*options)
    assert len(parrot.read_text().split()) == len(heard.split()) + 1
    recipe, reason = recipe_and_outcome(spoken, "plain.mp4")
    assert ([one["source"] for one in recipe["had_nothing"]], reason) == (["sidecar"], None)


def test_an_outcome_that_was_wrong_is_put_right(cli, spoken: Path) -> None:
    cli("transcribe", spoken)
    with Library.open(spoken) as library, library.writing():
        library.connection.execute(
            "UPDATE outcomes SET state = 'skipped', reason = 'no_narration'"
            " WHERE stage = 'transcribe'"
        )
    assert ended(cli("transcribe", spoken, "--json"))["captioned.mp4"] is None
    assert recipe_and_outcome(spoken, "captioned.mp4")[1] is None


def test_videos_that_cannot_be_probed_are_told(cli, spoken: Path) -> None:
    (spoken / "text.mp4").write_text("not a video")
    (spoken / "text.en.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nfold\n")
    ran = cli("transcribe", spoken, "--json")
    assert ran.code == 1
    (outcome,) = [one for one in ran.json["outcomes"] if one["video"] == "text.mp4"]
    assert (outcome["stage"], outcome["state"]) == ("probe", "failed")
    assert outcome["reason"] == "not_media"
    assert "Failed: text.mp4: not_media" in cli("transcribe", spoken).err
    assert cli("transcribe", spoken, "--only", "capt*").code == 0


# Options of plugins.


def test_options_reach_the_source_they_name(cli, spoken: Path, parrot: Path) -> None:
    module = Path(sys.path[0]) / "parrot_for_transcribe.py"
    text = module.read_text().replace('language="en"', 'language="en", times: int = 1, device="x"')
    text = text.replace("self.model = None", "self.model, self.times = None, times")
    module.write_text(text.replace("speaking", "speaking" + " {self.times} times"))
    options = ["transcribe", spoken, "--asr", "sidecar,parrot", "--only", "pl*", "--option"]
    cli(*options, "parrot.times=3")
    recipe, lines = narrated(spoken, "plain.mp4")
    assert (recipe["options"], lines) == ({"times": 3}, ["this is plain speaking 3 times"])
    heard = parrot.read_text()
    cli(*options, "parrot.times=3", "--option", "parrot.device=y")  # where, not what
    assert parrot.read_text() == heard
    cli(*options, "parrot.times=4")
    assert narrated(spoken, "plain.mp4")[1] == ["this is plain speaking 4 times"]
    for wrong, said in (
        ("parrot.times=often", "expected a whole number, found 'often'"),
        ("parrot.tims=3", "parrot has no option 'tims'; it has: device, language, times"),
        ("whisper.model=small", "no plugin 'whisper' is asked for; asked: sidecar, parrot"),
        ("times=3", "expected NAME.KEY=VALUE"),
    ):
        ran = cli(*options, wrong)
        assert (ran.code, said in ran.err) == (2, True), ran.err


def test_options_are_remembered(cli, spoken: Path, parrot: Path) -> None:
    (spoken / "captioned.de.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:02.000\nfalten\n")
    cli("transcribe", spoken, "--option", "sidecar.language=de")
    assert narrated(spoken)[1] == ["falten"]
    (spoken / "captioned.de.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:02.000\nb\u00fcgeln\n")
    cli("search", "iron", spoken)
    assert narrated(spoken)[1] == ["b\u00fcgeln"]


# The choice that is remembered.


def narrated(folder: Path, name: str = "captioned.mp4") -> tuple[dict, list[str]]:
    """The recipe of a video's narration, and its lines."""
    with Library.open(folder) as library:
        number = library.number_of_file(name)
        recipe, narration = library.narration_recipe(number), library.narration(number)
        return dict(recipe.parts), [line.text for line in narration.lines]


@pytest.mark.parametrize("command", [["search", "smooth"], ["clip"]])
def test_a_changed_caption_is_read_as_was_chosen(cli, spoken: Path, command: list[str]) -> None:
    (spoken / "captioned.de.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:02.000\nfalten\n")
    cli("transcribe", spoken, "--language", "de", "--ends", "paper")
    (spoken / "captioned.de.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:02.000\nbügeln\n")
    assert cli(*command, spoken).code == 0
    recipe, lines = narrated(spoken)
    assert (recipe["language"], recipe["ends"], lines) == ("de", "paper", ["bügeln"])
    # A run without a choice goes on with it, and so has nothing to do.
    assert cli("transcribe", spoken, "--dry-run", "--json", "--only", "capt*").json["videos"] == []
    # A new choice takes its place as a whole.
    cli("transcribe", spoken, "--asr", "sidecar,embedded")
    recipe, lines = narrated(spoken)
    assert ("language" in recipe, lines) == (False, ["fold it", "press it"])
    (spoken / "captioned.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:02.000\nsmooth it\n")
    assert cli(*command, spoken).code == 0
    assert narrated(spoken)[1] == ["smooth it"]


def test_a_choice_for_some_videos_is_not_remembered(cli, spoken: Path) -> None:
    (spoken / "captioned.de.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:02.000\nfalten\n")
    cli("transcribe", spoken, "--language", "de", "--only", "capt*")
    assert narrated(spoken)[1] == ["falten"]
    (spoken / "captioned.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:02.000\nsmooth it\n")
    cli("search", "smooth", spoken)
    assert narrated(spoken)[1] == ["smooth it"]


def test_a_chosen_recogniser_is_never_started_by_itself(
    cli, spoken: Path, parrot: Path, small_video
) -> None:
    cli("transcribe", spoken, "--asr", "parrot,sidecar")
    heard = parrot.read_text()
    small_video(spoken / "new.mp4", shade=40, sound=True)
    small_video(spoken / "newer.mp4", shade=41, sound=True)
    (spoken / "newer.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:02.000\ncaptioned anew\n")
    (spoken / "plain.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:02.000\nby hand\n")
    assert cli("search", "anew", spoken, "--json").json["hits"]
    cli("clip", spoken)
    # What was heard is wanted more than captions.
    assert narrated(spoken, "plain.mp4")[1] == ["this is plain speaking"]
    # A command that names no recogniser starts none, and takes nothing away.
    ran = cli("transcribe", spoken, "--json")
    assert ended(ran)["plain.mp4"] is None
    assert ended(ran)["quiet.mp4"] == "nothing_said"
    assert ended(ran)["new.mp4"] == "no_narration"
    assert parrot.read_text() == heard
    assert narrated(spoken, "plain.mp4")[1] == ["this is plain speaking"]


def test_a_recogniser_that_was_chosen_alone_has_to_be_named(
    cli, spoken: Path, parrot: Path
) -> None:
    cli("transcribe", spoken, "--asr", "parrot", "--only", "[cpq]*")
    assert cli("transcribe", spoken).code == 0  # made for some videos, it was not remembered
    cli("transcribe", spoken, "--asr", "parrot")
    heard = parrot.read_text()
    ran = cli("transcribe", spoken)
    assert ran.code == 2
    assert "works only when it is named: --asr parrot; for captions: --asr sidecar," in ran.err
    # Captions that change are not read either, until somebody asks for them.
    (spoken / "captioned.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:02.000\nsmooth it\n")
    cli("search", "smooth", spoken)
    assert narrated(spoken)[1] == ["this is captioned speaking"]
    assert parrot.read_text() == heard
    cli("transcribe", spoken, "--asr", "sidecar")
    assert narrated(spoken)[1] == ["smooth it"]


def test_the_fewest_words_are_remembered(cli, spoken: Path) -> None:
    cli("transcribe", spoken, "--min-narration-words", "3")
    (spoken / "captioned.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:02.000\nsmooth it\n")
    found = cli("clip", spoken, "--json").json
    assert (found["pairs"], found["outcomes"]["too_few_words"]) == (0, 1)
    assert ended(cli("transcribe", spoken, "--json"))["captioned.mp4"] == "too_few_words"
    back = cli("transcribe", spoken, "--min-narration-words", "0", "--json")
    assert ended(back)["captioned.mp4"] is None
    assert cli("clip", spoken, "--json").json["pairs"] == 1


def test_unknown_sources_are_told_before_any_work(cli, spoken: Path) -> None:
    ran = cli("transcribe", spoken, "--asr", "sidecat")
    assert ran.code == 2
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
