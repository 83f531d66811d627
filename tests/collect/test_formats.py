"""Which files are fetched, from dictionaries of the shape that yt-dlp gives."""

import pytest

from howto.collect.formats import choose_formats


def form(name, height=None, *, picture="avc1.4d401e", sound="mp4a.40.2", protocol="https", **more):
    return {
        "format_id": name,
        "url": f"https://example.org/{name}",
        "protocol": protocol,
        "height": height,
        "vcodec": picture,
        "acodec": sound,
        **more,
    }


# What YouTube offers, worst first, as yt-dlp sorts it.
STORYBOARD = form("sb0", 27, picture="none", sound="none", protocol="mhtml")
SOUNDS = [
    form("139", picture="none", sound="mp4a.40.5"),
    form("251", picture="none", sound="opus"),
]
PICTURES = [form(n, h, sound="none") for n, h in [("160", 144), ("134", 360), ("137", 1080)]]
WHOLE = form("18", 360)
YOUTUBE = [STORYBOARD, *SOUNDS, *PICTURES[:2], WHOLE, PICTURES[2]]


def names(formats, height=360):
    return [chosen["format_id"] for chosen in choose_formats(formats, height)]


def test_one_file_that_has_all() -> None:
    assert names(YOUTUBE) == ["18"]
    assert names(YOUTUBE, 1080) == ["18"]


def test_picture_and_sound_apart_where_there_is_no_such_file() -> None:
    apart = [STORYBOARD, *SOUNDS, *PICTURES]
    assert names(apart) == ["134", "251"]
    assert names(apart, 240) == ["160", "251"]
    assert names(apart, 5000) == ["137", "251"]


def test_the_least_tall_where_all_are_too_tall() -> None:
    assert names([form("a", 1080), form("b", 720), form("c", 2160)]) == ["b"]
    assert names([form("a", 1080), *SOUNDS, form("v", 360, sound="none")]) == ["v", "251"]


def test_a_plain_link_says_nothing_of_itself() -> None:
    link = form("mp4", picture=None, sound=None)
    assert names([link]) == ["mp4"]
    assert names([link, form("b", 240)]) == ["b"]


def test_one_piece_before_many() -> None:
    pieces = form("hls", 360, protocol="m3u8_native")
    assert names([form("http", 360), pieces]) == ["http"]
    assert names([form("http", 240), pieces]) == ["hls"]


def test_what_was_spoken_before_dubbed_sound() -> None:
    dubbed = form("251-1", picture="none", language="de", language_preference=-1)
    spoken = form("140-0", picture="none", language="en", language_preference=10)
    assert names([spoken, dubbed, PICTURES[1]]) == ["134", "140-0"]
    whole = [form("96-0", 360, language_preference=10), form("96-1", 360, language_preference=-1)]
    assert names(whole) == ["96-0"]


@pytest.mark.parametrize(
    "formats",
    [
        [],
        [STORYBOARD],
        SOUNDS,
        [form("a", 360, has_drm=True)],
        [form("a", 360, protocol="rtmp")],
        [{**form("a", 360), "url": None}],
    ],
)
def test_nothing_that_can_be_fetched(formats) -> None:
    assert names(formats) == []


def test_a_silent_film() -> None:
    assert names([form("a", 240, sound="none")]) == ["a"]
