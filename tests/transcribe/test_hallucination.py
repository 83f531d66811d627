"""Made-up lines: each rule by example, and what holds for any lines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from howto.records import Line
from howto.transcribe.hallucination import (
    HallucinationLimits,
    compressed,
    compression_ratio,
    outside_speech,
    repeated,
    too_fast,
    without_hallucinations,
)

TEXT = st.lists(st.sampled_from("cut fold the shirt now and Thanks. watching".split()), max_size=30)
LINES = st.lists(
    st.builds(
        lambda start, length, words: Line(start, start + length, " ".join(words)),
        st.floats(0, 100),
        st.floats(0, 20),
        TEXT,
    ),
    max_size=20,
).map(lambda lines: sorted(lines, key=lambda line: line.start))
SPANS = st.lists(st.tuples(st.floats(0, 120), st.floats(0, 10)), max_size=5).map(
    lambda spans: sorted((start, start + length) for start, length in spans)
)


def said(*texts: str) -> list[Line]:
    return [Line(5.0 * at, 5.0 * at + 4, text) for at, text in enumerate(texts)]


def test_the_same_line_over_windows_is_kept_once() -> None:
    lines = said("fold it", "Thank you.", "thank you", "Thank you!", "now cut")
    assert repeated(lines, [0, 1, 2, 3, 4], most=2) == {2, 3}


def test_saying_it_three_times_in_one_breath_is_believed() -> None:
    assert repeated(said("no", "no", "no"), [4, 4, 4], most=2) == set()
    assert repeated(said("no", "no"), [4, 5], most=2) == set()
    assert repeated(said("no", "yes", "no", "yes", "no"), [1, 2, 3, 4, 5], most=2) == set()


def test_text_in_silence_is_refused() -> None:
    lines = [Line(0, 2, "inside"), Line(9, 11, "a bit"), Line(20, 22, "outside"), Line(1, 1, "at")]
    assert outside_speech(lines, [(0, 3), (10.5, 12)], least=0.1) == {2}
    assert outside_speech(lines, [(0, 3), (10.5, 12)], least=0.5) == {1, 2}
    assert outside_speech(lines, [], least=0.1) == {0, 1, 2, 3}


def test_a_loop_is_refused() -> None:
    lines = said("and then " * 20, "lay the shirt flat on the table and fold the left sleeve over")
    assert compressed(lines, most=2.4) == {0}
    assert compression_ratio("ha ha ha") == 0.0


def test_more_words_than_a_mouth_can_say() -> None:
    lines = [Line(0, 1, "one two three four five six seven eight nine ten"), Line(3, 3, "yes")]
    assert too_fast(lines, most=9) == {0}
    assert too_fast([Line(0, 0, "one two three four")], most=9) == {0}


def test_what_was_left_out_is_counted_by_rule() -> None:
    lines = [*said("thank you", "thank you", "thank you"), Line(50, 52, "outside")]
    kept, problems = without_hallucinations(lines, [0, 1, 2, 3], [(0, 40)])
    assert kept == (lines[0],)
    assert [problem.what for problem in problems] == [
        "left out as made up: 1 lines, outside speech",
        "left out as made up: 2 lines, the same line again and again",
    ]


@given(LINES, SPANS, st.data())
def test_what_stays_is_unchanged_in_order_and_counted(lines, spans, data) -> None:
    windows = sorted(
        data.draw(st.lists(st.integers(0, 5), min_size=len(lines), max_size=len(lines)))
    )
    kept, problems = without_hallucinations(lines, windows, spans)
    waiting = iter(lines)
    assert all(any(line is other for other in waiting) for line in kept)
    counted = sum(int(problem.what.split(": ")[1].split()[0]) for problem in problems)
    assert len(kept) + counted == len(lines)


@given(LINES)
def test_different_unhurried_lines_in_speech_all_stay(lines: list[Line]) -> None:
    calm = [
        Line(20.0 * at, 20.0 * at + 15, f"line {at} says {line.text[:30]}")
        for at, line in enumerate(lines)
    ]
    kept, problems = without_hallucinations(calm, list(range(len(calm))), [(0, 1000)])
    assert (kept, problems) == (tuple(calm), ())


@given(LINES, SPANS)
def test_nothing_is_refused_without_limits(lines, spans) -> None:
    lax = HallucinationLimits(
        repeats=1000, compression=1e9, words_per_second=float("inf"), in_speech=0.0
    )
    timed = [line for line in lines if line.end > line.start]
    assert without_hallucinations(timed, list(range(len(timed))), spans, lax)[0] == tuple(timed)


def test_one_window_for_each_line() -> None:
    with pytest.raises(ValueError, match="zip"):
        without_hallucinations(said("one"), [], [])


# A recipe and a talk as people give them; in UTF-8 two of three bytes of a letter are the same.
TAMIL = (
    "முதலில் ஒரு கடாயை அடுப்பில் வைத்து அதில் இரண்டு தேக்கரண்டி எண்ணெய் ஊற்றி சூடானதும் கடுகு உளுத்தம் பருப்பு "
    "கறிவேப்பிலை சேர்த்து தாளிக்கவும் பிறகு நறுக்கிய வெங்காயம் பச்சை மிளகாய் இஞ்சி சேர்த்து பொன்னிறமாக வதக்கவும் "
    "அடுத்து தக்காளி மஞ்சள் தூள் உப்பு சேர்த்து நன்றாக குழையும் வரை வதக்கி தண்ணீர் ஊற்றி கொதிக்க விடவும்"
)
HINDI = (
    "सबसे पहले एक कड़ाही में दो चम्मच तेल गरम करें फिर उसमें जीरा डालें और जब जीरा चटकने लगे तो बारीक कटा हुआ "
    "प्याज डालकर सुनहरा होने तक भूनें इसके बाद अदरक लहसुन का पेस्ट हल्दी लाल मिर्च पाउडर और नमक मिलाएँ अब टमाटर "
    "डालकर मसाले को तब तक पकाएँ जब तक तेल अलग न हो जाए आखिर में उबले हुए आलू और थोड़ा पानी डालकर ढक दें"
)


@pytest.mark.parametrize("text", [TAMIL, HINDI])
def test_a_long_honest_line_of_any_script_is_believed(text: str) -> None:
    import zlib

    raw = text.encode()
    assert len(raw) / len(zlib.compress(raw)) > 2.4  # what counting UTF-8 would say
    assert compressed(said(text), most=2.4) == set()
    words = text.split()[:3]
    assert compressed(said(" ".join(words * 15)), most=2.4) == {0}


def test_the_ratio_of_ascii_is_whispers() -> None:
    import zlib

    text = "lay the shirt flat on the table and fold the left sleeve over to the middle"
    assert compression_ratio(text) == len(text) / len(zlib.compress(text.encode()))
    # As much as is allowed is believed.
    assert compressed(said(text), most=compression_ratio(text)) == set()
    assert compressed(said("".join(map(chr, range(0x4E00, 0x4F00)))), most=2.4) == set()


@given(LINES, SPANS)
def test_speech_is_looked_for_where_it_can_be(lines, spans) -> None:
    apart: list[tuple[float, float]] = []
    for start, end in spans:
        if not apart or start > apart[-1][1]:
            apart.append((start, end))

    def share(line: Line) -> float:
        if line.end <= line.start:
            return float(any(start <= line.start <= end for start, end in apart))
        inside = [max(0.0, min(line.end, end) - max(line.start, start)) for start, end in apart]
        return sum(inside) / (line.end - line.start)

    refused = {at for at, line in enumerate(lines) if share(line) < 0.5}
    assert outside_speech(lines, apart, 0.5) == refused
