"""Bytes to text: every encoding that caption files are found in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from howto.transcribe.text import decode

SENTENCES = {
    "fr": "Où êtes-vous ? J'ai préparé la pâte à crêpes, ça fait une heure. « Très bon » !",
    "de": "Jetzt schön rühren – und dann für fünf Minuten köcheln. „Größer“ geht’s nicht.",
    "es": "¿Cómo está usted? El niño comió jamón mañana. ¡Qué bueno!",
    "is": "Skerið laukinn og gulræturnar, steikið í fimm mínútur. Það er allt, þú ert ágætur.",
    "ru": "Сначала нарежьте лук и морковь, потом обжарьте на сковороде пять минут.",
    "ja": "まず玉ねぎを切ってください。それからフライパンで炒めます。",
    "zh": "首先把洋葱切成小块，然后放进锅里炒五分钟。",
    "tw": "首先把洋蔥切成小塊，然後放進鍋裡炒五分鐘。",
    "ko": "먼저 양파를 썰어 주세요. 그리고 프라이팬에 볶습니다.",
    "pl": "Najpierw pokrój cebulę i marchewkę, następnie smaż przez pięć minut. Gęś, żółw, łąka.",
    "cs": "Nejprve nakrájejte cibuli a mrkev, pak smažte pět minut. Příliš žluťoučký kůň.",
    "el": "Πρώτα κόψτε το κρεμμύδι και το καρότο, μετά τηγανίστε πέντε λεπτά.",
    "he": "קודם חותכים את הבצל והגזר ואז מטגנים חמש דקות.",
    "ar": "أولا قطع البصل والجزر ثم اقليها لمدة خمس دقائق.",
    "tr": "Önce soğanı ve havucu doğrayın, sonra beş dakika kızartın. Işık şöyle.",
    "th": "ก่อนอื่นหั่นหัวหอมและแครอท แล้วผัดห้านาที",
}

CODE_PAGES = [
    *(("fr", "cp1252"), ("de", "cp1252"), ("es", "cp1252"), ("is", "cp1252")),
    *(("ru", "cp1251"), ("ru", "koi8_r"), ("ja", "cp932"), ("ja", "euc_jp"), ("ja", "iso2022_jp")),
    *(("zh", "gb2312"), ("tw", "big5"), ("ko", "cp949"), ("pl", "cp1250"), ("cs", "cp1250")),
    *(("el", "cp1253"), ("he", "cp1255"), ("ar", "cp1256"), ("tr", "cp1254"), ("th", "cp874")),
]


def document(sentence: str, cues: int = 4) -> str:
    return "".join(
        f"{i}\n00:00:{i:02d},000 --> 00:00:{i + 1:02d},000\n{sentence}\n\n"
        for i in range(1, cues + 1)
    )


@pytest.mark.parametrize(("language", "encoding"), CODE_PAGES)
@pytest.mark.parametrize("cues", [1, 6])
def test_code_pages(language: str, encoding: str, cues: int) -> None:
    text = document(SENTENCES[language], cues)
    assert decode(text.encode(encoding)).text == text


@pytest.mark.parametrize("language", SENTENCES)
@pytest.mark.parametrize(
    "encoding",
    [
        *("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"),
        *("utf-32", "utf-32-le", "utf-32-be"),
    ],
)
def test_unicode_with_and_without_a_mark(language: str, encoding: str) -> None:
    text = document(SENTENCES[language])
    assert decode(text.encode(encoding)).text == text


def test_the_encoding_is_named() -> None:
    assert decode(b"plain").encoding == "utf-8"
    assert decode("é".encode("utf-16")).encoding == "utf-16-le"
    assert decode("à l'heure".encode("latin-1")).encoding == "cp1252"


@pytest.mark.parametrize("newline", ["\r\n", "\r"])
def test_newlines_become_one_kind(newline: str) -> None:
    assert decode(newline.join(["a", "", "b"]).encode()).text == "a\n\nb"


def test_nuls_go() -> None:
    assert decode(b"WEBVTT\n\nabc\0\0\0").text == "WEBVTT\n\nabc"


def test_a_few_damaged_bytes_leave_utf8_readable() -> None:
    data = (SENTENCES["ja"] * 3).encode() + "ま".encode()[:2]
    assert decode(data).text == SENTENCES["ja"] * 3 + "\ufffd"


def test_a_long_file_is_not_cut_within_a_character() -> None:
    text = document(SENTENCES["ja"], 900)
    assert decode(text.encode("euc_jp")).text == text


@given(st.binary(max_size=300))
def test_any_bytes_give_the_same_text_twice(data: bytes) -> None:
    first, second = decode(data), decode(data)
    assert first == second
    assert "\0" not in first.text
    assert "\r" not in first.text


@given(st.text(st.characters(exclude_characters="\0\r", exclude_categories=["Cs"])))
def test_utf8_is_unchanged(text: str) -> None:
    marked = b"\xef\xbb\xbf" + text.encode()
    assert decode(marked).text == text.removeprefix("\ufeff")


@pytest.mark.parametrize(("words", "encoding"), [(5, "cp1252"), (8, "utf-8")])
def test_how_much_damage_utf_8_may_have(words: int, encoding: str) -> None:
    """Over ten whole letters for each damaged one; else the whole ones may be chance."""
    data = " ".join(["été"] * words).encode() + b" caf\xe9"
    assert decode(data).encoding == encoding
