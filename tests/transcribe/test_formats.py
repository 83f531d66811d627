"""Reading a file: which format, which language, and what is an error."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from howto.errors import CaptionError, Reason
from howto.records import Kind, Line
from howto.transcribe import formats
from howto.transcribe.formats import FORMATS, read_captions
from howto.transcribe.language import language_tag
from howto.transcribe.names import CAPTION_SUFFIXES

VTT = "WEBVTT\n\n00:01.000 --> 00:02.000\nfold it\n"
SRT = "1\n00:00:01,000 --> 00:00:02,000\nfold it\n"
EXAMPLES = {
    "json3": '{"events": [{"tStartMs": 1000, "dDurationMs": 1000, "segs": [{"utf8": "fold it"}]}]}',
    "srv3": '<timedtext format="3"><body><p t="1000" d="1000">fold it</p></body></timedtext>',
    "WebVTT": VTT,
    "SubRip": SRT,
    "SubViewer": "0:00:01.000,0:00:02.000\nfold it\n",
    "SubStation": "[Script Info]\n[Events]\nDialogue: 0,0:00:01.00,0:00:02.00,,,0,0,0,,fold it\n",
    "TTML": '<tt><body><div><p begin="1s" end="2s">fold it</p></div></body></tt>',
    "SAMI": "<SAMI><BODY><SYNC START=1000>fold it<SYNC START=2000>&nbsp;</BODY></SAMI>",
    "srv1": '<transcript><text start="1" dur="1">fold it</text></transcript>',
    "caption CSV": "start,end,text\n1.0,2.0,fold it\n",
}


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_examples_cover_every_format() -> None:
    assert [form.name for form in FORMATS] == list(EXAMPLES)
    assert CAPTION_SUFFIXES[:5] == (".json3", ".srv3", ".ytt", ".vtt", ".srt")
    assert len(set(CAPTION_SUFFIXES)) == len(CAPTION_SUFFIXES)
    assert tuple(suffix for form in FORMATS for suffix in form.suffixes) == CAPTION_SUFFIXES


@pytest.mark.parametrize("suffix", [*CAPTION_SUFFIXES, ".VTT", ".txt", ""])
@pytest.mark.parametrize("holds", EXAMPLES)
def test_the_content_decides(tmp_path: Path, suffix: str, holds: str) -> None:
    narration = read_captions(write(tmp_path, f"video{suffix}", EXAMPLES[holds]))
    assert narration.lines == (Line(1, 2, "fold it"),)
    form = next(form for form in FORMATS if form.name == holds)
    if suffix.lower() in form.suffixes or (suffix, holds[:3]) == (".xml", "srv"):
        assert not narration.problems
    else:
        assert f"holds {holds}" in narration.problems[0].what


def test_vtt_without_a_header_is_still_vtt(tmp_path: Path) -> None:
    narration = read_captions(write(tmp_path, "video.vtt", VTT.removeprefix("WEBVTT\n\n")))
    assert narration.lines == (Line(1, 2, "fold it"),)
    assert "expected WEBVTT" in narration.problems[0].what


@pytest.mark.parametrize(
    ("name", "language", "kind"),
    [
        ("video.vtt", None, Kind.MANUAL),
        ("video.en.vtt", "en", Kind.MANUAL),
        ("video.eng.vtt", "en", Kind.MANUAL),
        ("video.English.vtt", "en", Kind.MANUAL),
        ("video.pt-BR.vtt", "pt-BR", Kind.MANUAL),
        ("video.pt_br.vtt", "pt-BR", Kind.MANUAL),
        ("video.zh-Hans.vtt", "zh-Hans", Kind.MANUAL),
        ("video.es-419.vtt", "es-419", Kind.MANUAL),
        ("video.en-eEY6OEpapPo.vtt", "en", Kind.MANUAL),
        ("video.en-orig.vtt", "en", Kind.AUTOMATIC),
        ("video.a.en.vtt", "en", Kind.AUTOMATIC),
        ("video.a-en.vtt", "en", Kind.AUTOMATIC),
        ("video.en.auto.vtt", "en", Kind.AUTOMATIC),
        ("video.auto.en.vtt", "en", Kind.AUTOMATIC),
        ("video.en.forced.vtt", "en", Kind.MANUAL),
        ("video.en.sdh.vtt", "en", Kind.MANUAL),
        ("video.en.cc.vtt", "en", Kind.MANUAL),
        ("video.en.hi.vtt", "en", Kind.MANUAL),
        ("video.hi.vtt", "hi", Kind.MANUAL),
        ("video.hi.hi.vtt", "hi", Kind.MANUAL),
        ("video.hi.auto.vtt", "hi", Kind.AUTOMATIC),
        ("how.to.fold.vtt", None, Kind.MANUAL),
        ("it.vtt", None, Kind.MANUAL),
    ],
)
def test_language_and_kind_of_a_name(
    tmp_path: Path, name: str, language: str | None, kind: Kind
) -> None:
    narration = read_captions(write(tmp_path, name, VTT))
    assert (narration.language, narration.kind, narration.source) == (language, kind, name)


def test_the_stem_is_not_a_language(tmp_path: Path) -> None:
    path = write(tmp_path, "how.to.do.it.srt", SRT)
    assert read_captions(path).language == "it"
    assert read_captions(path, stem="how.to.do.it").language is None


def test_the_name_goes_before_the_header(tmp_path: Path) -> None:
    text = VTT.replace("WEBVTT\n", "WEBVTT\nLanguage: de\n")
    assert read_captions(write(tmp_path, "video.vtt", text)).language == "de"
    assert read_captions(write(tmp_path, "video.fr.vtt", text)).language == "fr"


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        *(("ENG", "en"), ("zh-hant-tw", "zh-Hant-TW"), ("deu", "de"), ("und", None), ("", None)),
        *(("x", None), ("xx", None), ("live_chat", None), ("español", "es"), ("no-end-gt", None)),
    ],
)
def test_language_tags(text: str, tag: str | None) -> None:
    assert language_tag(text) == tag


@pytest.mark.parametrize("content", ["WEBVTT\n", "WEBVTT\n\n", "\n \n", "\ufeff"])
def test_nothing_in_it_is_no_error(tmp_path: Path, content: str) -> None:
    assert read_captions(write(tmp_path, "video.vtt", content)).lines == ()


def test_only_music_is_no_error(tmp_path: Path) -> None:
    narration = read_captions(write(tmp_path, "video.vtt", VTT.replace("fold it", "[Music]")))
    assert narration.lines == ()
    assert not narration.problems


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("video.vtt", b"", Reason.EMPTY_FILE),
        ("video.vtt", b"\x00\x01\x02 rubbish", Reason.UNREADABLE_CAPTIONS),
        ("video.srt", b"<html>Sorry</html>", Reason.BLOCKED),
        ("video.json3", b"<!DOCTYPE html><html>Sorry</html>", Reason.BLOCKED),
        ("video.json3", b"", Reason.TOKEN_NEEDED),
        ("video.en.srv3", b" \n", Reason.TOKEN_NEEDED),
        ("video.json3", b'{"events": [{"tStartMs": 1,', Reason.UNREADABLE_CAPTIONS),
        ("video.json3", b"[1, 2]", Reason.UNREADABLE_CAPTIONS),
        ("video.csv", b"time,temperature\n1,20\n", Reason.NO_NARRATION),
        ("video.ass", b"rubbish", Reason.UNREADABLE_CAPTIONS),
        ("video.smi", b"rubbish", Reason.UNREADABLE_CAPTIONS),
        ("video.xml", b"<info><title>x</title></info>", Reason.UNREADABLE_CAPTIONS),
        ("video.txt", b"notes of mine", Reason.UNREADABLE_CAPTIONS),
        ("video.chapters.vtt", VTT.encode(), Reason.NO_NARRATION),
        (
            "video.vtt",
            b"WEBVTT\nKind: metadata\n\n00:01.000 --> 00:02.000\n{}\n",
            Reason.NO_NARRATION,
        ),
    ],
)
def test_errors(tmp_path: Path, name: str, content: bytes, reason: Reason) -> None:
    with pytest.raises(CaptionError) as caught:
        read_captions(write(tmp_path, name, content))
    assert caught.value.reason is reason


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.vtt")
    (tmp_path / "folder.vtt").mkdir()
    for name in ("missing.vtt", "folder.vtt", "pipe.vtt"):
        with pytest.raises(CaptionError) as caught:
            read_captions(tmp_path / name)
        assert caught.value.reason is Reason.UNREADABLE_FILE


def test_a_huge_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "MAX_BYTES", 10)
    with pytest.raises(CaptionError) as caught:
        read_captions(write(tmp_path, "video.vtt", VTT))
    assert caught.value.reason is Reason.UNREADABLE_CAPTIONS
    assert "expected at most 10" in caught.value.detail


def test_importing_the_sources_is_light() -> None:
    heavy = "{'pysubs2', 'lxml', 'charset_normalizer', 'numpy', 'av', 'torch'}"
    code = (
        "import sys, howto.transcribe.sidecar, howto.transcribe.embedded; "
        f"sys.exit(','.join({heavy} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_few_quick_words_are_believed(tmp_path: Path) -> None:
    """Under fifty words a rate says nothing: a clip of a second may hold a whole line too much."""
    cues = "WEBVTT\n\n00:00.000 --> 00:01.000\n" + "{}\n"
    held = read_captions(write(tmp_path, "video.vtt", cues.format(" ".join(["fold"] * 49))))
    assert len(held.lines) == 1
    with pytest.raises(CaptionError, match=r"50 words within 1\.000 s"):
        read_captions(write(tmp_path, "video.vtt", cues.format(" ".join(["fold"] * 50))))
