"""YouTube's formats case by case: what a site really sends, and what is read of it."""

import json
from pathlib import Path

import pytest

from howto.errors import CaptionError, Reason
from howto.records import Kind, Line, Word
from howto.transcribe.ends import Ends, later_starts, with_ends
from howto.transcribe.formats import read_captions
from howto.transcribe.json3 import read_json3
from howto.transcribe.srt import read_srt
from howto.transcribe.srv import read_srv1, read_srv3
from howto.transcribe.vtt import read_vtt

# A recogniser's track from a public README: two lines, with the scrolls between them.
OFFSETS = (0, 441, 601, 961, 1081, 1240, 1681)
WORDS = "hello and welcome back to Scarlet Hollow".split()
SAMPLE = {
    "wireMagic": "pb3",
    "events": [
        {"tStartMs": 0, "dDurationMs": 900_000, "id": 1, "wpWinPosId": 1, "wsWinStyleId": 1},
        {
            "tStartMs": 919,
            "dDurationMs": 5121,
            "wWinId": 1,
            "segs": [
                {"utf8": word if not offset else " " + word, "acAsrConf": 0}
                | ({"tOffsetMs": offset} if offset else {})
                for word, offset in zip(WORDS, OFFSETS, strict=True)
            ],
        },
        {
            "tStartMs": 3030,
            "dDurationMs": 3010,
            "wWinId": 1,
            "aAppend": 1,
            "segs": [{"utf8": "\n"}],
        },
        {
            "tStartMs": 3040,
            "dDurationMs": 6639,
            "wWinId": 1,
            "segs": [{"utf8": "we"}, {"utf8": " are", "tOffsetMs": 160}],
        },
        {
            "tStartMs": 6030,
            "dDurationMs": 3649,
            "wWinId": 1,
            "aAppend": 1,
            "segs": [{"utf8": "\n"}],
        },
        {"tStartMs": 6040, "dDurationMs": 7040, "wWinId": 1, "segs": [{"utf8": "episode"}]},
    ],
}


def track(*events: dict) -> str:
    """A recogniser's track of these events: a scroll at its end says so."""
    scroll = {"tStartMs": 10**6, "aAppend": 1, "segs": [{"utf8": "\n"}]}
    return json.dumps({"wireMagic": "pb3", "events": [*events, scroll]})


def event(start: object, *words: str, **more: object) -> dict:
    """One line; the words start 300 ms apart."""
    segs = [{"utf8": word} | ({"tOffsetMs": 300 * i} if i else {}) for i, word in enumerate(words)]
    return {"tStartMs": start, "dDurationMs": 5000, "segs": segs} | more


def spans(text: str) -> list[tuple[float, float, str]]:
    return [(line.start, line.end, line.text) for line in read_json3(text).lines]


def test_the_published_sample() -> None:
    found = read_json3(json.dumps(SAMPLE))
    assert [(line.start, line.text) for line in found.lines] == [
        (0.919, "hello and welcome back to Scarlet Hollow"),
        (3.04, "we are"),
        (6.04, "episode"),
    ]
    first, second, _ = found.lines
    assert first.end <= second.start
    assert [word.start for word in first.words] == [(919 + offset) / 1000 for offset in OFFSETS]
    # The last word starts at 2.600 and the next line at 3.040.
    assert first.words[-1] == Word(2.6, 3.04, "Hollow")
    # A real pause after the last word stays one.
    assert second.end == 4.0
    paper = with_ends(found.lines, Ends.PAPER, found.screen_ends)
    assert [line.end for line in paper] == [6.04, 9.679, 13.08]


def test_repeated_words_are_kept() -> None:
    """ "Yes, yes." said again a millisecond later is another line."""
    found = spans(track(event(1000, "Yes,", " yes."), event(1001, "Yes,", " yes.")))
    assert [line[2] for line in found] == ["Yes, yes.", "Yes, yes."]
    assert found[0][0] != found[1][0]


def test_one_word_in_two_lines() -> None:
    found = read_json3(track(event(1000, "great"), event(3000, "great")))
    assert [line.words for line in found.lines] == [
        (Word(1.0, 1.8, "great"),),
        (Word(3.0, 3.8, "great"),),
    ]


def test_a_repeated_word_in_rolling_captions() -> None:
    text = (
        "WEBVTT\nKind: captions\nLanguage: en\n\n"
        "00:00:01.000 --> 00:00:01.990\n \ngreat\n\n00:00:01.990 --> 00:00:02.000\ngreat\n \n\n"
        "00:00:02.000 --> 00:00:02.990\ngreat\ngreat\n\n00:00:02.990 --> 00:00:03.000\ngreat\n \n\n"
        "00:00:09.000 --> 00:00:09.990\n \ngreat\n\n"
    )
    assert [(line.start, line.text) for line in read_vtt(text).lines] == [
        (1, "great"),
        (2, "great"),
        (9, "great"),
    ]


def test_text_in_an_append_event_goes_on_with_the_line() -> None:
    more = event(2000, "\n", "the", aAppend=1)
    found = read_json3(track(event(1000, "fold", " it"), more, event(9000, "next")))
    assert [line.text for line in found.lines] == ["fold it the", "next"]
    assert [word.start for word in found.lines[0].words] == [1.0, 1.3, 2.3]


def test_an_append_that_stands_before_its_line() -> None:
    found = read_json3(track(event(2000, "the", aAppend=1), event(1000, "fold", " it")))
    assert [line.text for line in found.lines] == ["fold it the"]


def test_an_append_goes_on_in_its_window() -> None:
    found = read_json3(
        track(
            event(1000, "left", wWinId=1),
            event(1100, "right", wWinId=2),
            event(1200, "more", aAppend=1, wWinId=1),
        )
    )
    assert [line.text for line in found.lines] == ["left more", "right"]


def test_events_in_any_order() -> None:
    ordered = [event(1000, "a"), event(2000, "b"), event(2000, "c"), event(3000, "d")]
    shuffled = [ordered[3], ordered[1], ordered[0], ordered[2]]
    assert spans(track(*shuffled)) == spans(track(*ordered))


def test_nothing_said_is_skipped() -> None:
    silent = [
        {"tStartMs": 0},
        {"tStartMs": 1, "segs": []},
        {"tStartMs": 2, "segs": [{"utf8": "\n"}]},
        {"tStartMs": 3, "segs": [{"utf8": "  "}, {}]},
        event(4, "[Music]"),
        event(5, "[音楽]"),
    ]
    found = read_json3(track(*silent, event(9000, "fold", " [Music]", " it")))
    assert [line.text for line in found.lines] == ["fold [Music] it"]
    assert found.silent == 2
    assert not found.problems


def test_missing_durations() -> None:
    without = [event(start, word, dDurationMs=None) for start, word in ((1000, "a"), (1500, "b"))]
    assert spans(track(*without)) == [(1.0, 1.5, "a"), (1.5, 2.3, "b")]
    manual = {"events": [{"tStartMs": 1000, "segs": [{"utf8": "fold it"}]}]}
    # Half a second and 67 ms a character, as for SAMI.
    assert spans(json.dumps(manual)) == [(1.0, 1.969, "fold it")]


def test_times_outside_are_clamped_or_reported() -> None:
    found = read_json3(
        track(event(-500, "early", " word"), event(2000, "fold", dDurationMs=-5), event(10**9, "x"))
    )
    assert [(line.start, line.text) for line in found.lines] == [(0, "early word"), (2, "fold")]
    assert found.lines[0].words[0].start == 0
    assert [problem.what for problem in found.problems] == [
        "end 1.995 s is before start 2.000 s",
        "a line at 1000000.000 s: expected at most 100 hours",
    ]


def test_words_that_go_backwards_wait() -> None:
    segs = [{"utf8": "a"}, {"utf8": " b", "tOffsetMs": 900}, {"utf8": " c", "tOffsetMs": 100}]
    (line,) = read_json3(track(event(1000) | {"segs": segs})).lines
    assert [word.start for word in line.words] == [1.0, 1.9, 1.9]


def test_speakers_entities_and_scripts_without_spaces() -> None:
    found = read_json3(
        track(
            event(1000, ">> R&amp;D", " isn&#39;t"),
            event(3000, ">>", " fold"),
            event(5000, "音", "楽"),
        )
    )
    assert [line.text for line in found.lines] == ["R&D isn't", "fold", "音楽"]
    assert [[word.text for word in line.words] for line in found.lines] == [
        ["R&D", "isn't"],
        ["fold"],
        ["音", "楽"],
    ]


def test_a_person_s_track_is_left_as_it_is() -> None:
    """Whole lines, styled pieces, ends as meant, and overlapping lines."""
    events = [
        {"tStartMs": 1000, "dDurationMs": 4000, "segs": [{"utf8": "Lay the shirt\nflat."}]},
        {
            "tStartMs": 3000,
            "dDurationMs": 9000,
            "segs": [{"utf8": "Fold ", "pPenId": 1}, {"utf8": "it"}],
        },
    ]
    found = read_json3(json.dumps({"events": events}))
    assert found.lines == (Line(1, 5, "Lay the shirt flat."), Line(3, 12, "Fold it"))
    assert found.track == ""
    assert found.screen_ends is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"events": [{"tStartMs": 1000, "segs": [{"utf8": "a"}', "damaged JSON at column"),
        ("[" * 100_000, "damaged JSON"),
        ('{"events": 3}', "expected an object with events"),
        ('{"events": [7]}', "event 1: expected tStartMs and segs"),
        ('{"events": [{"tStartMs": "x", "segs": [{"utf8": "a"}]}]}', "event 1: expected"),
        ('{"events": [{"tStartMs": 1e99, "segs": [{"utf8": "a"}]}]}', "event 1: expected"),
    ],
)
def test_damaged_json3(text: str, problem: str) -> None:
    found = read_json3(text)
    assert found.lines == ()
    assert found.problems[0].what.startswith(problem)


def test_rest_of_a_damaged_json3_is_read() -> None:
    found = read_json3(json.dumps({"events": [7, event("1000", "fold"), event(2000.0, "it")]}))
    assert [(line.start, line.text) for line in found.lines] == [(1, "fold"), (2, "it")]
    assert len(found.problems) == 1


@pytest.mark.parametrize("separator", [",", " ,\n  "])
def test_a_json3_that_is_cut_short_is_read_up_to_there(separator: str) -> None:
    """Cut at every place there is: the events that are whole are read, and no others."""
    text, ends = '{"wireMagic": "pb3", "events": [', []
    for event_of_sample in SAMPLE["events"]:
        text += (separator if ends else "") + json.dumps(event_of_sample)
        ends.append(len(text))
    text += "]}"
    whole = [line.text for line in read_json3(text).lines]
    assert len(whole) == 3
    for cut in range(text.index("["), len(text)):
        found = read_json3(text[:cut])
        complete = sum(end <= cut for end in ends)
        lines = sum(number <= complete for number in (2, 4, 6))
        assert [line.text for line in found.lines] == whole[:lines], (cut, text[:cut][-30:])
        assert len(found.problems) == 1
        what = found.problems[0].what
        assert what.startswith("damaged JSON at column")
        assert what.endswith(f"which are read: {complete}") == (complete > 0)


def test_a_caption_file_that_is_cut_short_is_a_narration_with_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "talk.en.json3"
    path.write_text(json.dumps(SAMPLE)[:-40])
    found = read_captions(path)
    assert [line.text for line in found.lines] == [
        "hello and welcome back to Scarlet Hollow",
        "we are",
    ]
    assert found.problems[0].what.endswith("whole events before it, which are read: 5")


def test_srv3_is_json3_in_xml() -> None:
    text = (
        '<?xml version="1.0" encoding="utf-8" ?><timedtext format="3"><head><ws id="0"/></head>'
        '<body><w t="0" id="1"/><p t="919" d="5121" w="1">hello<s t="441" ac="0"> and</s></p>'
        '<p t="3030" d="3010" w="1" a="1">\n</p><p t="3040" d="6639" w="1">R&amp;D</p>'
        '<p d="3">lost</p></body></timedtext>'
    )
    found = read_srv3(text)
    assert [(line.start, line.end, line.text) for line in found.lines] == [
        (0.919, 2.16, "hello and"),
        (3.04, 3.84, "R&D"),
    ]
    assert found.track == "asr"
    assert found.problems[0].what == "expected a start in milliseconds, found none"


def test_srv3_appends_in_its_window() -> None:
    text = (
        '<timedtext format="3"><body><p t="1000" d="4000" w="1">left<s t="300"> it</s></p>'
        '<p t="1100" d="4000" w="2">right</p><p t="2000" d="9" w="1" a="1">more</p>'
        "</body></timedtext>"
    )
    assert [line.text for line in read_srv3(text).lines] == ["left it more", "right"]


def test_srv1_of_a_recogniser_is_told_by_its_overlaps() -> None:
    rows = "".join(f'<text start="{i * 2}" dur="4">line {i}</text>' for i in range(4))
    found = read_srv1(f"<transcript>{rows}</transcript>")
    assert [line.end for line in found.lines] == [2, 4, 6, 10]
    assert found.screen_ends == (4, 6, 8, 10)
    assert found.track == "asr"
    assert not any(line.words for line in found.lines)


def test_the_srv1_of_another_project(captions: Path) -> None:
    narration = read_captions(captions / "transcript.xml.static")
    assert [(line.start, line.end, line.text) for line in narration.lines] == [
        (0, 1.54, "Hey, this is just a test"),
        (1.54, 5.7, "this is not the original transcript"),
        (5.7, 8.939, "just something shorter, I made up for testing"),
    ]
    assert narration.kind is Kind.MANUAL


def test_a_real_rolling_file(captions: Path) -> None:
    narration = read_captions(captions / "youtube_auto_rolling.vtt")
    assert (narration.kind, narration.language, narration.problems) == (Kind.AUTOMATIC, "en", ())
    assert [line.text for line in narration.lines] == [
        "my career in side projects and open",
        "source basically this is so i've been",
    ]
    words = [word for line in narration.lines for word in line.words]
    assert [word.text for word in words] == " ".join(line.text for line in narration.lines).split()
    assert [word.start for word in words] == [
        *(0, 0.16, 0.48, 0.64, 0.88, 1.28, 1.52),
        *(1.839, 2.24, 2.8, 3.04, 3.199, 3.36, 3.6),
    ]
    assert [line.end for line in narration.lines] == [1.839, 4.4]
    paper = read_captions(captions / "youtube_auto_rolling.vtt", ends=Ends.PAPER)
    assert [line.end for line in paper.lines] == [4.55, 4.56]


@pytest.mark.parametrize("name", ["FaultTolerance", "Offset", "Simultaneous"])
def test_srv3_says_what_the_file_it_was_made_from_says(captions: Path, name: str) -> None:
    """YTSubConverter made the .ytt of the .ass; what it does not show is not in both."""
    ytt = read_captions(captions / f"ytsub_{name}.ytt")
    ass = read_captions(captions / f"ytsub_{name}.ass")
    unshown = {"Simultaneous": {"zero-width"}}.get(name, set())
    assert words_of(ytt) == words_of(ass) - unshown
    assert ytt.kind is Kind.MANUAL
    assert not ytt.problems
    # It moves times to YouTube's picture rate, by a frame at most.
    starts = [line.start for line in ass.lines]
    assert all(min(abs(line.start - start) for start in starts) < 0.06 for line in ytt.lines[:8])


def test_srv3_of_karaoke_has_word_times(captions: Path) -> None:
    narration = read_captions(captions / "ytsub_Karaoke.ytt")
    assert [word.text for word in narration.lines[1].words] == ["Ka", "ra", "o", "ke"]
    assert not narration.problems


def test_ruby_stays_readable(captions: Path) -> None:
    lines = read_captions(captions / "ytsub_Ruby.ytt").lines
    assert lines[1].text == "Ru(ル)by(ビ) <Suffix>"


def words_of(narration) -> set[str]:
    return {word for line in narration.lines for word in line.text.split()}


def test_rolling_srt(tmp_path: Path) -> None:
    text = (
        "1\n00:00:00,080 --> 00:00:02,389\n \nhello everyone\n\n"
        "2\n00:00:02,389 --> 00:00:02,399\nhello everyone\n \n\n"
        "3\n00:00:02,399 --> 00:00:04,309\nhello everyone\ntoday we &amp; you\n\n"
        "4\n00:00:04,309 --> 00:00:04,319\ntoday we &amp; you\n \n\n"
        "5\n00:00:04,319 --> 00:00:06,000\ntoday we &amp; you\nfold\n"
    )
    found = read_srt(text)
    assert [(line.start, line.end, line.text) for line in found.lines] == [
        (0.08, 2.399, "hello everyone"),
        (2.399, 4.319, "today we & you"),
        (4.319, 5.119, "fold"),
    ]


def test_older_rolling_captions_with_colours_and_a_row_that_nothing_repeats() -> None:
    text = (
        "WEBVTT\nKind: captions\nLanguage: en\n\n"
        "00:00:01.000 --> 00:00:03.000 align:start position:0%\nfrom before\n"
        "fold<c.colorE5E5E5><00:00:01.500><c> the</c></c>"
        "<c.colorCCCCCC><00:00:02.000><c> shirt</c></c>\n\n"
        "00:00:03.000 --> 00:00:03.331 align:start position:0%\n"
        "fold<c.colorE5E5E5> the</c> shirt\n </c>\n\n"
    )
    found = read_vtt(text)
    assert [line.text for line in found.lines] == ["from before", "fold the shirt"]
    assert [word.start for word in found.lines[1].words] == [1, 1.5, 2]


def test_human_captions_with_word_times_and_classes_are_not_rolling() -> None:
    """Karaoke by hand: both rows are said, and a class is no sign of a recogniser."""
    text = (
        "WEBVTT\n\nSTYLE\n::cue { color: red }\n\nNOTE by hand\n\nintro\n"
        "00:01.000 --> 00:03.000\n<v Mary>one <00:00:02.000><c.red>two</c>\n<i>three</i> four\n\n"
        "00:03.000 --> 00:05.000\nthree four\nthree four\n"
    )
    for variant in (text, "\ufeff" + text.replace("\n", "\r\n")):
        found = read_vtt(variant)
        assert found.lines == (
            Line(1, 3, "one two three four"),
            Line(3, 5, "three four three four"),
        )
        assert found.track == ""


def test_a_few_short_cues_make_no_rolling_file() -> None:
    cues = [f"00:{i:02}.000 --> 00:{i:02}.900\nline {i}\nof it\n" for i in range(10, 30)]
    for i in (30, 40):
        cues += [f"00:{i}.000 --> 00:{i}.900\nstop\n", f"00:{i}.900 --> 00:{i}.910\nstop\n"]
    found = read_vtt("WEBVTT\n\n" + "\n".join(cues))
    assert len(found.lines) == 24
    assert found.lines[0].text == "line 10 of it"


def test_rules_on_captions_of_people() -> None:
    lines = (Line(0, 5, "a"), Line(2, 3, "b"), Line(2, 4, "c"), Line(8, 9, "d"))
    assert [line.end for line in with_ends(lines, Ends.SPEECH)] == [2, 3, 4, 9]
    assert [line.end for line in with_ends(lines, Ends.PAPER)] == [2, 8, 4, 9]
    assert with_ends((), Ends.PAPER) == with_ends((), Ends.SPEECH) == ()
    assert later_starts([1, 2, 2, 5]) == [2, 5, 5, None]


def test_people_s_files_take_a_rule_only_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "video.en.vtt"
    path.write_text("WEBVTT\n\n00:00.000 --> 00:05.000\na\n\n00:02.000 --> 00:03.000\nb\n")
    assert [line.end for line in read_captions(path).lines] == [5, 3]
    assert [line.end for line in read_captions(path, ends=Ends.SPEECH).lines] == [2, 3]


def test_a_transcript_within_the_first_seconds_is_refused(tmp_path: Path) -> None:
    cues = [f"00:00.{i:03} --> 00:01.{i:03}\nline number {i} of it\n" for i in range(40)]
    path = tmp_path / "video.en.vtt"
    path.write_text("WEBVTT\n\n" + "\n".join(cues))
    with pytest.raises(CaptionError) as caught:
        read_captions(path)
    assert caught.value.reason is Reason.IMPOSSIBLE_TIMES
    assert "200 words within 1.039 s" in caught.value.detail
    slow = [f"00:{i:02}.000 --> 00:{i:02}.900\nline number {i} of it\n" for i in range(40)]
    path.write_text("WEBVTT\n\n" + "\n".join(slow))
    assert len(read_captions(path).lines) == 40


def test_words_past_their_line_are_damage() -> None:
    """Such a word starts with the one before it, and the line ends where its words do."""
    segs = [{"utf8": "fold"}, {"utf8": " it", "tOffsetMs": 99_999_999_999}, {"utf8": " now"}]
    damaged = event(1000) | {"segs": segs}
    for found in (
        read_json3(track(damaged, event(9000, "next", " line"))),
        read_srv3(
            '<timedtext format="3"><body><p t="1000" d="5000">fold<s t="99999999999"> it</s>'
            '<s> now</s></p><p t="9000" d="5000">next<s t="300"> line</s></p></body></timedtext>'
        ),
    ):
        assert [(line.start, line.text) for line in found.lines] == [
            *((1, "fold it now"), (9, "next line"))
        ]
        assert found.lines[0].end <= 6
        assert [word.start for word in found.lines[0].words] == [1, 1, 1]
        assert [problem.what for problem in found.problems] == [
            "a word at 100000000.999 s: expected it within its line, until 6.000 s"
        ]


def test_a_line_past_a_hundred_hours_is_damage() -> None:
    found = read_json3(track(event(1000, "fold", dDurationMs=4 * 10**8), event(2000, "it")))
    assert [line.text for line in found.lines] == ["it"]
    assert [problem.what for problem in found.problems] == [
        "a line at 1.000 s: expected at most 100 hours"
    ]


def test_an_append_that_goes_earlier_takes_nothing_from_its_line() -> None:
    more = event(2000, "\n", "the", aAppend=1, dDurationMs=900)
    found = read_json3(track(event(1000, "fold", " it"), more, event(9000, "next")))
    assert found.screen_ends is not None
    assert found.screen_ends[0] == 6


def test_srv1_of_which_half_is_rolled_is_a_recognisers() -> None:
    ends = [4, 2, 2, 2, 2]
    texts = [f'<text start="{2 * i}" dur="{dur}">line {i}</text>' for i, dur in enumerate(ends)]
    assert read_srv1(f"<transcript>{''.join(texts[:4])}</transcript>").track == "asr"
    assert read_srv1(f"<transcript>{''.join(texts)}</transcript>").track == ""
