"""Bytes of a caption file to text. Such files seldom say which encoding they are in."""

import re
from dataclasses import dataclass

__all__ = ["Decoded", "decode"]

_BOMS = (
    # The UTF-32 mark starts with the UTF-16 one, so it is asked for first.
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
    (b"\xef\xbb\xbf", "utf-8"),
)

# In ASCII bytes: UTF-16 and UTF-32, ISO 2022, and newlines to be made plain.
_NOT_PLAIN_ASCII = (b"\0", b"\x1b", b"\r")

# What subtitle files outside Unicode are written in. A short list makes the guess quicker and
# better: among all of Python's codecs some always fits any bytes.
_CANDIDATES = (
    *("gb18030", "big5", "cp932", "euc_jp", "cp949"),
    *("cp1251", "koi8_r", "cp1253", "cp1255", "cp1256", "cp1250", "cp1254", "cp1257", "cp874"),
)
_GUESS_BYTES = 65536
_NUL_SAMPLE = 65536

_HIGH = re.compile(r"[^\x00-\x7f]")
_HIGH_PAIR = re.compile(r"[^\x00-\x7f]{2}")
_SIGN_IN_WORD = re.compile(r"[a-zA-Z][^\x00-\x7f\w'’‘´`-][a-zA-Z]|[a-zA-Z][¹²³ªº][a-zA-Z]")
_HEBREW_WORD = re.compile(rb"[\xe0-\xfa]{2,}")
_BESIDES_HEBREW = re.compile(rb"[^\xe0-\xfa]")
_KANA = re.compile(r"[\u3041-\u30ff]")
# The bytes of Turkish ğ, ı and ş are ð, ý and þ here: those are Icelandic, with these beside them.
_TURKISH_BYTES = frozenset("ðýþÐÝÞ")
_ICELANDIC = frozenset("áíóúæÁÍÓÚÆ")
_WESTERN = frozenset(
    "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖØÙÚÛÜÝÞßàáâãäåæçèéêëìíîïðñòóôõöøùúûüýþÿŒœŠšŽžŸ"
    "‘’“”„‚‹›«»–—…•·¡¿´¨°ºª€£¥§©®™½¼¾²³×÷\xa0\xad"
)


@dataclass(frozen=True, slots=True)
class Decoded:
    """Text with `\\n` newlines, without byte order mark and NULs, and the encoding it was in."""

    text: str
    encoding: str


def decode(data: bytes) -> Decoded:
    """Return the text that the bytes hold. Never raises; the same bytes give the same text.

    In order: a byte order mark; UTF-16 or UTF-32 without one, told by where the NULs are; UTF-8;
    UTF-8 with a few damaged bytes; windows-1252 where that reads as a Western language; a guess by
    charset-normalizer. Bytes that the chosen encoding does not have become U+FFFD.
    """
    if data.isascii() and not any(sign in data for sign in _NOT_PLAIN_ASCII):
        return Decoded(data.decode("ascii"), "utf-8")
    encoding = _encoding_of(data)
    text = data.decode(encoding, errors="replace").removeprefix("\ufeff")
    return Decoded(_plain(text), encoding)


def _plain(text: str) -> str:
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.replace("\0", "") if "\0" in text else text


def _encoding_of(data: bytes) -> str:
    for mark, encoding in _BOMS:
        # UTF-16 text may start with the bytes of the UTF-32 mark, so that one has to prove itself.
        if data.startswith(mark) and ("32" not in encoding or _fits(data, encoding)):
            return encoding
    # Zeros at the end are what a disk or a download left there.
    sample = data[:_NUL_SAMPLE].rstrip(b"\0")
    if b"\0" in sample and (wide := _wide_encoding(sample)):
        return wide
    if _fits(data, "utf-8"):
        return "iso2022_jp" if b"\x1b$" in data and _fits(data, "iso2022_jp") else "utf-8"
    return "utf-8" if _is_damaged_utf8(data) else _guess(data)


def _fits(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _wide_encoding(sample: bytes) -> str | None:
    """Tell UTF-16 and UTF-32 by where the zero bytes are: markup and digits are ASCII."""
    sample = sample[: len(sample) // 4 * 4]
    quarter = len(sample) // 4
    zeros = [sample[i::4].count(0) for i in range(4)]
    if quarter and zeros[2] == zeros[3] == quarter and zeros[0] < quarter:
        return "utf-32-le"
    if quarter and zeros[0] == zeros[1] == quarter and zeros[3] < quarter:
        return "utf-32-be"
    even, odd = zeros[0] + zeros[2], zeros[1] + zeros[3]
    if odd > quarter / 5 and odd > 10 * even:
        return "utf-16-le"
    if even > quarter / 5 and even > 10 * odd:
        return "utf-16-be"
    return None


def _is_damaged_utf8(data: bytes) -> bool:
    """Many whole multi-byte characters are no chance: the few other bytes are damage."""
    text = data.decode("utf-8", errors="replace")
    damaged = text.count("\ufffd")
    return len(_HIGH.findall(text)) - damaged > 10 * damaged


def _guess(data: bytes) -> str:
    sample = data[:_GUESS_BYTES]
    if len(data) > len(sample):
        # Whole rows, so that no character is cut in two.
        sample = sample[: sample.rfind(b"\n") + 1] or sample
    if _reads_as_western(sample):
        return "cp1252"
    if known := _by_letters(sample):
        return known
    # Loaded on use: most files are UTF-8, and importing it costs more than reading them.
    from charset_normalizer import from_bytes

    best = from_bytes(sample, cp_isolation=list(_CANDIDATES)).best()
    return best.encoding if best is not None else "cp1252"


def _by_letters(sample: bytes) -> str | None:
    """Tell the encodings that the guess takes for others, by letters that only they would give."""
    letters = bytes(byte for byte in sample if byte >= 0xC0)
    # Hebrew is words of the 27 letters from 0xE0 on, without the capitals and last letters of
    # Cyrillic.
    in_words = sum(map(len, _HEBREW_WORD.findall(sample)))
    if (
        len(letters) >= 20
        and not _BESIDES_HEBREW.search(letters)
        and 10 * in_words >= 9 * len(letters)
    ):
        return "cp1255"
    try:
        text = sample.decode("euc_jp")
    except UnicodeDecodeError:
        return None
    return "euc_jp" if 4 * len(_KANA.findall(text)) > len(_HIGH.findall(text)) else None


def _reads_as_western(sample: bytes) -> bool:
    """In Western text accented letters stand alone; elsewhere high bytes come in runs.

    A sign in the middle of a word (`³` in what is Polish in cp1250) says that it is another code
    page.
    """
    try:
        text = sample.decode("cp1252")
    except UnicodeDecodeError:
        return False
    high = _HIGH.findall(text)
    if not _WESTERN.issuperset(high) or _SIGN_IN_WORD.search(text):
        return False
    if not _TURKISH_BYTES.isdisjoint(high) and _ICELANDIC.isdisjoint(high):
        return False
    return 4 * len(_HIGH_PAIR.findall(text)) <= len(high)
