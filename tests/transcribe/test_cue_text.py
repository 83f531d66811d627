"""What a cue says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from howto.transcribe.cue_text import clean


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ("<v Mary Ann>fold it</v>", "fold it"),
        ("<v.loud Mary>fold</v> it", "fold it"),
        ("<i>fold</i> <b>it</b> <u>up</u>", "fold it up"),
        ("<c.colorE5E5E5>fold</c><00:00:01.000><c> it</c>", "fold it"),
        ("cut<b>ting</b>", "cutting"),
        ("one<br>two<BR/>three", "one two three"),
        ('<font color="#ff00ff">fold</font>', "fold"),
        (r"{\an8}fold it", "fold it"),
        (r"{\pos(10,20)\i1}fold{\i0} it", "fold it"),
        ("{y:i}fold it", "fold it"),
        ("salt &amp; pepper", "salt & pepper"),
        ("a&nbsp;b &lrm;c", "a b \u200ec"),
        ("&lt;i&gt; is a tag", "<i> is a tag"),
        ("&amp;lt;", "&lt;"),
        ("&#233;&#xe9;", "éé"),
        ("&#" + "9" * 5000 + ";", "\ufffd"),
        ("2 < 3 and 4 > 1", "2 < 3 and 4 > 1"),
        ("I <3 this", "I <3 this"),
        ("{ braces } stay", "{ braces } stay"),
        ("two\nrows  and\tspaces ", "two rows and spaces"),
        (">> Hello.\n>> Hi.", "Hello. Hi."),
        ("&gt;&gt;&gt; MAN: hello", "MAN: hello"),
        ("shift x >> 2", "shift x >> 2"),
        ("- Yes.\n- No.", "- Yes. - No."),
        ("[Music]", ""),
        ("[音楽]", ""),
        ("♪", ""),
        ("♪ [Applause] ♪\n[Laughter]", ""),
        ("［拍手］", ""),
        ("\u200b", ""),
        ("<c></c> \n ", ""),
        ("[Music] now fold", "[Music] now fold"),
        ("♪ la la ♪", "♪ la la ♪"),
        ("[unclosed", "[unclosed"),
        ("(whispering)", "(whispering)"),
        ("---", "---"),
        ("こんにちは\n世界", "こんにちは 世界"),
    ],
)
def test_clean(raw: str, said: str) -> None:
    assert clean(raw) == said


@given(st.text(st.sampled_from("abc é音.,!?'-"), min_size=1))
def test_words_without_markup_stay(text: str) -> None:
    assert clean(text) == " ".join(text.split())


@given(st.text())
def test_the_result_is_one_row(text: str) -> None:
    said = clean(text)
    assert said == " ".join(said.split())


@pytest.mark.parametrize(
    "unit", ["<", "<a", "[", "[]♪", "&", "&#1", "{\\", ">> ", "\n>> ", " ", "</", "<1:", "<lang "]
)
@pytest.mark.usefixtures("ends_at_all")
def test_hostile_text_takes_linear_time(unit: str) -> None:
    clean("[" + unit * 300_000)
