"""TTML, SAMI and SubStation. pysubs2 is the second opinion on what it can read."""

from pathlib import Path

import pysubs2
import pytest

from howto.transcribe.ass import plain_text, read_ass
from howto.transcribe.cue_text import tidy
from howto.transcribe.cues import Parsed
from howto.transcribe.formats import read_captions
from howto.transcribe.sami import read_sami
from howto.transcribe.ttml import read_ttml


def rows(parsed: Parsed) -> list[tuple[float, float, str]]:
    return [(line.start, line.end, line.text) for line in parsed.lines]


def tt(body: str, attributes: str = "") -> str:
    return (
        '<?xml version="1.0" encoding="utf-16"?>\n<tt xmlns="http://www.w3.org/ns/ttml" '
        f'xmlns:ttp="http://www.w3.org/ns/ttml#parameter" {attributes}>'
        f"<head><metadata><p>not said</p></metadata></head><body>{body}</body></tt>"
    )


def paragraph(begin: str, end: str, text: str = "fold it") -> str:
    return f'<div><p begin="{begin}" end="{end}">{text}</p></div>'


@pytest.mark.parametrize(
    ("begin", "attributes", "seconds"),
    [
        ("00:00:01.500", "", 1.5),
        ("00:00:01,500", "", 1.5),
        ("01:00:00", "", 3600),
        ("01:02.250", "", 62.25),
        ("1.5s", "", 1.5),
        ("1500ms", "", 1.5),
        ("0.5m", "", 30),
        ("1h", "", 3600),
        ("45f", "", 1.5),  # 30 frames a second, where the file does not say
        ("36f", 'ttp:frameRate="24"', 1.5),
        ("00:00:01:12", 'ttp:frameRate="24"', 1.5),
        ("24000f", 'ttp:frameRate="24" ttp:frameRateMultiplier="1000 1001"', 1001),
        ("15000000t", 'ttp:tickRate="10000000"', 1.5),
    ],
)
def test_ttml_times(begin: str, attributes: str, seconds: float) -> None:
    parsed = read_ttml(tt(paragraph(begin, "2h"), attributes))
    assert rows(parsed) == [(seconds, 7200, "fold it")]
    assert not parsed.problems


def test_ttml_nested_text() -> None:
    text = (
        'one<br/>two <span tts:color="red">three<span> four</span></span>\n   five'
        "<metadata>not said</metadata><!-- nor this --> &amp;lt;"
    )
    assert rows(read_ttml(tt(paragraph("1s", "2s", text)))) == [
        (1, 2, "one two three four five &lt;")
    ]


def test_ttml_times_count_from_the_parent() -> None:
    body = '<div begin="10s"><p begin="1s" dur="2s">one</p><p begin="3s" end="4s">two</p></div>'
    assert rows(read_ttml(tt(body))) == [(11, 13, "one"), (13, 14, "two")]


def test_ttml_sequence() -> None:
    body = '<div timeContainer="seq"><p dur="2s">one</p><p dur="3s">two</p></div>'
    assert rows(read_ttml(tt(body))) == [(0, 2, "one"), (2, 5, "two")]


def test_ttml_times_on_spans() -> None:
    body = (
        '<div><p><span begin="1s" end="2s">one</span><br/><span><span begin="3s" end="4s">two'
        '<span begin="0s" end="1s"> more</span></span></span></p></div>'
    )
    assert rows(read_ttml(tt(body))) == [(1, 2, "one"), (3, 4, "two more")]


def test_ttml_of_2006() -> None:
    text = tt(paragraph("1s", "2s")).replace(
        "http://www.w3.org/ns/ttml", "http://www.w3.org/2006/10/ttaf1"
    )
    assert rows(read_ttml(text)) == [(1, 2, "fold it")]


def test_ttml_language() -> None:
    body = (
        '<div xml:lang="de"><p begin="1s" end="2s">falten</p></div>'
        '<div xml:lang="en"><p begin="1s" end="2s">fold</p></div>'
    )
    for wanted, text, language in [
        ("en", "fold", "en"),
        ("de", "falten", "de"),
        ("fr", "falten", "de"),
    ]:
        parsed = read_ttml(tt(body), wanted)
        assert (rows(parsed), parsed.language) == ([(1, 2, text)], language)


def test_ttml_bad_times_cost_one_paragraph() -> None:
    body = '<div>\n<p begin="x" end="2s">lost</p>\n<p begin="1s">lost</p>' + paragraph("1s", "2s")
    parsed = read_ttml(tt(body + "</div>"))
    assert rows(parsed) == [(1, 2, "fold it")]
    assert [problem.line for problem in parsed.problems] == [3, 4]


def test_ttml_damaged() -> None:
    body = paragraph("1s", "2s", "salt & pepper") + paragraph("3s", "4s", "R&D; caf&eacute;&nbsp;b")
    whole = read_ttml(tt(body))
    assert rows(whole) == [(1, 2, "salt & pepper"), (3, 4, "R&D; café b")]
    assert "expected &amp;" in whole.problems[0].what
    cut = read_ttml(tt(body)[:-30])
    assert rows(cut)[0] == (1, 2, "salt & pepper")
    assert any(problem.line and "damaged XML" in problem.what for problem in cut.problems)


@pytest.mark.usefixtures("ends_at_all")
def test_ttml_entities_are_not_expanded(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    lols = "".join(f'<!ENTITY l{i} "{"lol" if i == 0 else f"&l{i - 1};" * 10}">' for i in range(10))
    document = (
        f'<!DOCTYPE tt [{lols}<!ENTITY file SYSTEM "{secret.as_uri()}">]>'
        f"<tt><body>{paragraph('1s', '2s', 'a&l2;b')}{paragraph('3s', '4s', 'c&file;d')}"
        f"{paragraph('5s', '6s', 'e &l9; f')}</body></tt>"
    )
    said = " ".join(line.text for line in read_ttml(document).lines)
    assert "lol" not in said
    assert "secret" not in said


@pytest.mark.parametrize("unit", ["<div>", "<p><span>", "&amp;", "&x;", "<", "<p begin='1s'>a</p>"])
@pytest.mark.usefixtures("ends_at_all")
def test_ttml_hostile_input(unit: str) -> None:
    read_ttml("<tt><body><div>" + unit * 50_000)


@pytest.mark.parametrize("text", ["<html><body/></html>", "<tt></tt>", "no markup", "<"])
def test_ttml_of_something_else(text: str) -> None:
    parsed = read_ttml(text)
    assert not parsed.lines
    assert parsed.problems


SAMI = """<SAMI><HEAD><STYLE TYPE="text/css"><!--
P { margin-left: 1pt; }
.ENCC {Name: English; lang: en-US; SAMI_Type: CC;}
.KRCC {Name: Korean; lang: ko-KR; SAMI_Type: CC;}
--></STYLE></HEAD><BODY>
<SYNC Start=1000><P Class=ENCC>one<br>two<P Class=KRCC>하나
<SYNC Start="2000"><P Class="ENCC">&nbsp;
<SYNC Start='3000'><P Class='KRCC'>둘
<SYNC Start=4000><P Class=ENCC>salt &amp; pepper
<SYNC Start=oops><P Class=ENCC>lost
<SYNC Start=5000><P Class=KRCC>&nbsp;
</BODY></SAMI>
"""


def test_sami_in_one_of_its_languages() -> None:
    english = read_sami(SAMI, "en")
    assert english.language == "en-US"
    assert rows(english)[:1] == [(1, 2, "one two")]
    assert english.lines[1].start == 4
    assert english.lines[1].text == "salt & pepper"
    assert [problem.line for problem in english.problems] == [10]
    korean = read_sami(SAMI, "ko")
    assert korean.language == "ko-KR"
    assert rows(korean) == [(1, 3, "하나"), (3, 5, "둘")]


def test_sami_in_a_language_it_has_not() -> None:
    """English and Korean say as much; the first one is taken."""
    assert read_sami(SAMI, "fr").language == "en-US"


def test_sami_without_classes() -> None:
    parsed = read_sami("<sami><body><sync start=500>one<sync start=900><p>&nbsp;</body></sami>")
    assert rows(parsed) == [(0.5, 0.9, "one")]


@pytest.mark.parametrize(
    "unit", ["<sync ", "<sync start=1><p>", "<sync start=  ", "<!--", ".a{", "<p class=", "&"]
)
@pytest.mark.usefixtures("ends_at_all")
def test_sami_hostile_input(unit: str) -> None:
    read_sami("<sami><sync start=10><p>" + unit * 50_000)
    read_sami("<sami><sync start=" + " " * 200_000 + ">")


def test_sami_starts_as_pysubs2_reads_them(captions: Path) -> None:
    text = (captions / "pycaption_example.sami").read_text(encoding="utf-8")
    theirs = pysubs2.SSAFile.from_string(text, format_="sami")
    said = {(event.start, tidy(event.plaintext)) for event in theirs if tidy(event.plaintext)}
    ours = {(round(line.start * 1000), line.text) for line in read_sami(text).lines}
    assert ours == said


ASS_HEAD = "[Script Info]\nScriptType: v4.00+\n\n[Events]\n"
ASS_FORMAT = "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"


def test_ass_dialogue_only() -> None:
    parsed = read_ass(
        ASS_HEAD + ASS_FORMAT + "Comment: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,not said\n"
        "Dialogue: 0,0:00:01.00,0:00:02.50,Default,,0,0,0,,{\\i1}Fold{\\i0}, then\\Npress\\hit\n"
        "Dialogue: 1,0:00:01.00,0:00:02.50,Default,,0,0,0,,{\\blur3}Fold, then\\Npress it\n"
        "Dialogue: 0,0:00:03.00,0:00:04.00,Default,,0,0,0,,{\\p1}m 0 0 l 10 10{\\p0} drawn\n"
        "Dialogue: 0,0:00:0x.00,0:00:04.00,Default,,0,0,0,,lost\n"
    )
    assert rows(parsed) == [(1, 2.5, "Fold, then press it"), (3, 4, "drawn")]
    assert [problem.line for problem in parsed.problems] == [10]


def test_ass_columns_in_another_order() -> None:
    parsed = read_ass(
        ASS_HEAD + "Format: Start, End, Text\nDialogue: 0:00:01.00,0:00:02.00,a, b, c\n"
    )
    assert rows(parsed) == [(1, 2, "a, b, c")]


def test_ssa() -> None:
    parsed = read_ass(
        "[Script Info]\nScriptType: v4.00\n[Events]\n"
        "Format: Marked, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
        "Dialogue: Marked=0,0:00:01.00,0:00:02.00,Default,,0000,0000,0000,,fold it\n"
    )
    assert rows(parsed) == [(1, 2, "fold it")]


@pytest.mark.usefixtures("ends_at_all")
def test_ass_hostile_input() -> None:
    plain_text("{\\" * 500_000)
    plain_text("{\\p1}m " * 100_000)


@pytest.mark.parametrize("name", ["FaultTolerance", "Karaoke", "Offset", "Ruby", "Simultaneous"])
def test_ass_as_pysubs2_reads_it(captions: Path, name: str) -> None:
    path = captions / f"ytsub_{name}.ass"
    theirs = pysubs2.SSAFile.from_string(path.read_text(encoding="utf-8-sig"), format_="ass")
    said = {
        (event.start, event.end, tidy(event.plaintext))
        for event in theirs
        if not event.is_comment and not event.is_drawing and tidy(event.plaintext)
    }
    narration = read_captions(path)
    ours = {(round(a.start * 1000), round(a.end * 1000), a.text) for a in narration.lines}
    assert ours == said
    assert not narration.problems


# --- TTML: languages, loose words, security ---

LINE = '<p begin="1s" end="2s"{}>{}</p>'


@pytest.mark.parametrize(
    ("attributes", "body", "said", "language", "left"),
    [
        ("", LINE.format(' xml:lang="en"', "hi"), ["hi"], "en", None),
        ('xml:lang="en"', LINE.format(' xml:lang="en-US"', "hi"), ["hi"], "en-US", None),
        (
            'xml:lang="en"',
            LINE.format(' xml:lang="fr"', "salut") + LINE.format("", "hi"),
            ["hi"],
            "en",
            "1 in fr",
        ),
        (
            'xml:lang="de"',
            f'<div xml:lang="en">{LINE.format("", "hi")}</div>{LINE.format("", "hallo")}',
            ["hi"],
            "en",
            "1 in de",
        ),
        (
            "",
            f'<div xml:lang="EN">{LINE.format("", "hi")}</div>'
            f'<div xml:lang="en-GB">{LINE.format("", "there")}</div>',
            ["hi", "there"],
            "EN",
            None,
        ),
        (
            "",
            f'<div xml:lang="zh-Hans">{LINE.format("", "简")}</div>'
            f'<div xml:lang="zh-Hant">{LINE.format("", "繁")}</div>',
            ["简"],
            "zh-Hans",
            "1 in zh-Hant",
        ),
        (
            "",
            LINE.format(' xml:lang="fr"', "salut") + LINE.format("", "hi"),
            ["hi"],
            None,
            "1 in fr",
        ),
        ("", LINE.format(' xml:lang="fr"', " ") + LINE.format("", "hi"), ["hi"], None, None),
    ],
)
def test_ttml_languages_of_divisions_and_paragraphs(
    attributes: str, body: str, said: list[str], language: str | None, left: str | None
) -> None:
    parsed = read_ttml(tt(f"<div>{body}</div>", attributes))
    assert ([line.text for line in parsed.lines], parsed.language) == (said, language)
    assert len(parsed.problems) == (left is not None)
    assert left is None or f"left out ({left})" in parsed.problems[0].what


def test_ttml_words_beside_timed_spans() -> None:
    """They last as long as the paragraph; where it has no end, as long as the spans together."""
    text = 'Now <span begin="1s" end="2s">fold</span> the <span begin="3s" end="4s">left</span> one'
    loose = read_ttml(tt(f"<div><p>{text}</p></div>"))
    assert rows(loose) == [(1, 2, "fold"), (1, 4, "Now the one"), (3, 4, "left")]
    within = read_ttml(tt(f'<div begin="0s" end="9s"><p>{text}</p></div>'))
    assert rows(within) == [(0, 9, "Now the one"), (1, 2, "fold"), (3, 4, "left")]
    assert not loose.problems
    assert not within.problems


def test_ttml_elements_that_it_does_not_know() -> None:
    text = 'a <b>bold</b> <x:i xmlns:x="urn:x">word</x:i><ttm:desc>no</ttm:desc>'
    document = tt(paragraph("1s", "2s", text), 'xmlns:ttm="http://www.w3.org/ns/ttml#metadata"')
    assert rows(read_ttml(document)) == [(1, 2, "a bold word")]


def test_ttml_spans_side_by_side() -> None:
    timed = '<span begin="0s">fold</span><span begin="1s">it</span>, <span begin="1s">now</span>'
    assert rows(read_ttml(tt(paragraph("1s", "2s", timed)))) == [(1, 2, "fold it, now")]
    styled = '<span tts:color="red">F</span><span>old</span>'
    assert rows(read_ttml(tt(paragraph("1s", "2s", styled)))) == [(1, 2, "Fold")]


def test_ttml_entities_of_its_own_are_told() -> None:
    document = '<!DOCTYPE tt [<!ENTITY co "ACME">]>' + tt(
        paragraph("1s", "2s", "Welcome to &co; today")
    ).removeprefix('<?xml version="1.0" encoding="utf-16"?>\n')
    parsed = read_ttml(document)
    assert rows(parsed) == [(1, 2, "Welcome to &co; today")]
    assert [problem.what for problem in parsed.problems] == [
        "an entity of the file's own is not resolved: &co;"
    ]


def test_ttml_opens_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lxml import etree

    asked: dict[str, object] = {}
    made = etree.XMLParser

    def parser(**options: object) -> object:
        asked.update(options)
        return made(**options)

    monkeypatch.setattr(etree, "XMLParser", parser)
    document = f'<!DOCTYPE tt SYSTEM "{(tmp_path / "none.dtd").as_uri()}"><tt><body><div>'
    parsed = read_ttml(document + LINE.format("", "fold") + "</div></body></tt>")
    assert rows(parsed) == [(1, 2, "fold")]
    assert not parsed.problems  # a file that is not there would be one, if it was looked for
    assert (asked["no_network"], asked["load_dtd"], asked["resolve_entities"]) == (
        *(True, False, False),
    )


@pytest.mark.parametrize(
    ("time", "attributes", "seconds"),
    [("3t", "", 3), ("48t", 'ttp:frameRate="24"', 2), ("48t", 'ttp:tickRate="12"', 4)],
)
def test_ttml_ticks(time: str, attributes: str, seconds: float) -> None:
    """A tick is a frame where the file states frames, else a second."""
    assert rows(read_ttml(tt(paragraph(time, "2h"), attributes)))[0][0] == seconds


def test_ttml_ends_with_the_earlier_of_end_and_duration() -> None:
    body = (
        '<div><p begin="1s" end="9s" dur="2s">one</p><p begin="5s" end="6s" dur="9s">two</p></div>'
    )
    assert rows(read_ttml(tt(body))) == [(1, 3, "one"), (5, 6, "two")]


# --- SAMI ---


def test_sami_two_paragraphs_of_one_class_are_one_text() -> None:
    text = (
        "<sami><body><sync start=1000><p class=a>Hello<p class=a>&nbsp;<p class=a>World"
        "<sync start=3000><p class=a>&nbsp;</body></sami>"
    )
    assert rows(read_sami(text)) == [(1, 3, "Hello World")]


def test_sami_texts_that_start_together_end_together() -> None:
    text = (
        "<sami><body><sync start=1000><p>Hello<sync start=1000><p>World"
        "<sync start=3000><p>&nbsp;</body></sami>"
    )
    assert rows(read_sami(text)) == [(1, 3, "Hello"), (1, 3, "World")]


@pytest.mark.usefixtures("ends_at_all")
def test_sami_of_many_classes() -> None:
    paragraphs = "".join(f"<p class=c{number}>x" for number in range(60_000))
    assert read_sami(f"<sami><body><sync start=1>{paragraphs}</body></sami>").lines[0].text == "x"
