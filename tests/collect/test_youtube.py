"""YouTube's answers in the shape that yt-dlp gives them. Small ones, written by hand; the site
itself is asked by nobody here."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from howto.collect import ytdlp
from howto.collect.deadline import in_time
from howto.collect.fetched import Candidate, CaptionTrack, Task
from howto.collect.infos import described, entry_of
from howto.collect.lists import youtube_candidate
from howto.collect.sources.howto100m_csv import HowTo100MCsvSource
from howto.collect.sources.youtube import YouTubeSource, hits
from howto.collect.tracks import choose
from howto.errors import ItemError, Reason, UsageError
from howto.records import Chapter, Kind

ID = "aqz-KE-bpKQ"
CANDIDATE = youtube_candidate("youtube", ID, 3)
FORMS = ("json3", "srv1", "srv2", "srv3", "ttml", "srt", "vtt")


def track(lang: str, *, into: str = "", asr: bool = False) -> list[dict[str, Any]]:
    """One track in all its forms, as the extractor lists it."""
    query = (
        f"v={ID}&lang={lang}" + ("&kind=asr" if asr else "") + (f"&tlang={into}" if into else "")
    )
    return [
        {"ext": form, "url": f"https://www.youtube.com/api/timedtext?{query}&fmt={form}"}
        for form in FORMS
    ]


CHAT = [
    {
        "url": f"https://www.youtube.com/watch?v={ID}&bpctr=9999999999&has_verified=1",
        "video_id": ID,
        "ext": "json",
        "protocol": "youtube_live_chat_replay",
    }
]
INFO: dict[str, Any] = {
    "id": ID,
    "title": "How to Fold a Shirt / ../ \u202e",
    "description": "Step by step.\n0:00 Lay it flat",
    "duration": 635,
    "view_count": 1_234_567,
    "license": "Creative Commons Attribution license (reuse allowed)",
    "tags": ["shirt", "folding", 3],
    "categories": ["Howto & Style"],
    "chapters": [
        {"start_time": 0, "end_time": 60, "title": "Lay it flat"},
        {"start_time": 60, "end_time": 635, "title": "Fold"},
    ],
    "channel": "Somebody",
    "uploader": "@somebody",
    "upload_date": "20230517",
    "live_status": "was_live",
    "formats": [
        {"format_id": "140-1", "acodec": "mp4a", "language": "de", "language_preference": -1},
        {"format_id": "140-0", "acodec": "mp4a", "language": "en-US", "language_preference": 10},
        {"format_id": "18", "acodec": "mp4a", "language": None},
    ],
    "language": "de",
    "subtitles": {
        "en-GB": track("en-GB"),
        "en-nP7-2PuUl7o": track("en"),
        "de-en-GB": track("en-GB", into="de"),
        "live_chat": CHAT,
    },
    "automatic_captions": {
        "en-orig": track("en", asr=True),
        "en": track("en", asr=True),
        "de": track("en", into="de", asr=True),
        "zh-Hans": track("en", into="zh-Hans", asr=True),
    },
}


def test_all_that_is_known_of_a_video() -> None:
    found = described(CANDIDATE, INFO)
    assert found.candidate == CANDIDATE
    assert (found.title, found.description) == (INFO["title"], INFO["description"])
    assert (found.duration, found.views, found.language) == (635.0, 1_234_567, "en-US")
    assert (found.license, found.channel, found.uploaded) == ("cc-by", "Somebody", "2023-05-17")
    assert (found.tags, found.categories) == (("shirt", "folding"), ("Howto & Style",))
    assert found.chapters == (Chapter(0.0, 60.0, "Lay it flat"), Chapter(60.0, 635.0, "Fold"))
    assert not found.live


def test_nothing_is_known_of_a_video() -> None:
    found = described(CANDIDATE, {"id": ID, "live_status": None, "view_count": None})
    assert (found.title, found.duration, found.views, found.language) == ("", None, None, None)
    assert (found.license, found.uploaded, found.tracks, found.live) == ("", "", (), False)


@pytest.mark.parametrize("number", [10**30, 2**63, 10**400, -1, float("nan"), "7", None])
def test_numbers_that_cannot_be(number: Any) -> None:
    found = described(CANDIDATE, {"view_count": number, "duration": number})
    assert (found.views, found.duration) == (None, None)


def test_the_largest_numbers() -> None:
    found = described(CANDIDATE, {"view_count": 2**63 - 1, "duration": 1e18})
    assert (found.views, found.duration) == (2**63 - 1, 1e18)


def test_its_captions() -> None:
    tracks = described(CANDIDATE, INFO).tracks
    assert {one.form for one in tracks} == {"json3"}
    assert [(one.language, one.kind, one.key) for one in tracks] == [
        ("en-GB", Kind.MANUAL, "subtitles/en-GB"),
        ("en", Kind.MANUAL, "subtitles/en-nP7-2PuUl7o"),
        ("de", Kind.TRANSLATED, "subtitles/de-en-GB"),
        ("en", Kind.AUTOMATIC, "automatic_captions/en-orig"),
        ("en", Kind.AUTOMATIC, "automatic_captions/en"),
        ("de", Kind.TRANSLATED, "automatic_captions/de"),
        ("zh-Hans", Kind.TRANSLATED, "automatic_captions/zh-Hans"),
    ]


def test_the_entry_of_a_track_is_the_one_that_was_meant() -> None:
    for one in described(CANDIDATE, INFO).tracks:
        entry = entry_of(INFO, one)
        assert entry is not None
        assert entry["ext"] == "json3"
        assert ("kind=asr" in entry["url"]) == one.key.startswith("automatic_captions/")
        assert ("tlang=" in entry["url"]) == (one.kind is Kind.TRANSLATED)
    assert entry_of(INFO, CaptionTrack("fr", Kind.MANUAL, "json3", "subtitles/fr")) is None


def test_captions_in_pieces_are_no_track() -> None:
    pieces = {"ext": "vtt", "url": "https://example.org/c.m3u8", "protocol": "m3u8_native"}
    inside = {"ext": "vtt", "data": "WEBVTT\n"}
    info = {"subtitles": {"en": [pieces], "de": [pieces, inside], "fr": [{"url": None}]}}
    assert [one.language for one in described(CANDIDATE, info).tracks] == ["de"]


def test_a_korean_video_with_a_translation() -> None:
    info = {
        "automatic_captions": {
            "en": track("ko", into="en", asr=True),
            "ko-orig": track("ko", asr=True),
            "ko": track("ko", asr=True),
        }
    }
    found = choose(described(CANDIDATE, info).tracks, "en", None)
    assert found is not None
    assert found.key == "automatic_captions/ko-orig"


@pytest.mark.parametrize(
    ("info", "live"),
    [
        ({"live_status": "is_live"}, True),
        ({"live_status": "is_upcoming"}, True),
        ({"live_status": "post_live"}, True),
        ({"is_live": True}, True),
        ({"live_status": "was_live"}, False),
        ({"live_status": "not_live"}, False),
    ],
)
def test_live(info: dict[str, Any], live: bool) -> None:
    assert described(CANDIDATE, info).live is live


@pytest.mark.parametrize(
    ("stated", "licence"),
    [
        ("Creative Commons Attribution license (reuse allowed)", "cc-by"),
        ("https://creativecommons.org/licenses/by/4.0/", "cc-by"),
        ("CC BY 3.0", "cc-by"),
        ("CC-BY", "cc-by"),
        ("by", "cc-by"),
        ("Standard YouTube License", "youtube"),
        ("by-nc-sa", "by-nc-sa"),
        ("CC BY-NC 4.0", "CC BY-NC 4.0"),
        ("https://creativecommons.org/licenses/by-nc/4.0/", None),
        ("Creative Commons Attribution-NonCommercial license", None),
        (None, ""),
    ],
)
def test_licences(stated: str | None, licence: str | None) -> None:
    found = described(CANDIDATE, {"license": stated}).license
    assert found == (stated if licence is None else licence)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(st.fixed_dictionaries({}, optional={key: JSON for key in INFO if key != "formats"}))
def test_whatever_a_site_says_makes_a_record(info: dict[str, Any]) -> None:
    found = described(CANDIDATE, info)
    assert found.duration is None or found.duration > 0
    assert all(one.language for one in found.tracks)


# --- searching ---


def entry(bare: str | None, **more: Any) -> dict[str, Any]:
    url = f"https://www.youtube.com/watch?v={bare}"
    return {"_type": "url", "ie_key": "Youtube", "id": bare, "url": url, "title": "T", **more}


def test_hits_in_the_site_s_order() -> None:
    entries = [
        entry("aaaaaaaaaaa"),
        entry("UCsXVk37bltHxD1rDPwtNM8Q", ie_key="YoutubeTab"),
        entry(None),
        entry("aaaaaaaaaaa"),
        entry("bbbbbbbbbbb", title=None),
        entry("ccccccccccc"),
    ]
    found = list(hits("youtube", entries, 10))
    assert [(hit.rank, hit.video_id, hit.title) for hit in found] == [
        (1, "youtube-aaaaaaaaaaa", "T"),
        (2, "youtube-bbbbbbbbbbb", ""),
        (3, "youtube-ccccccccccc", "T"),
    ]
    assert found[0].address == "https://www.youtube.com/watch?v=aaaaaaaaaaa"
    assert list(hits("youtube", entries, 2)) == found[:2]


def test_no_more_pages_than_needed_are_asked_for() -> None:
    asked = []

    def pages() -> Iterator[dict[str, Any]]:
        for number in range(1000):
            asked.append(number)
            yield entry(f"{number:011d}")

    assert len(list(hits("youtube", pages(), 5))) == 5
    assert len(asked) <= 6


class FakeYoutubeDL:
    """Answers for the site: a dictionary, or an error."""

    answer: Any = None
    warnings: tuple[str, ...] = ()

    def __init__(self, parameters: dict[str, Any]) -> None:
        self.params = parameters
        self.cookiejar = ()
        FakeYoutubeDL.last = self

    def extract_info(self, address: str, download: bool, process: bool = True) -> Any:
        self.asked = address, download, process
        for warning in self.warnings:
            self.params["logger"].warning(warning)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def close_answers(self) -> None:
        """Nothing is open."""

    close = close_answers


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> type[FakeYoutubeDL]:
    monkeypatch.setattr(ytdlp, "ClosingYoutubeDL", FakeYoutubeDL)
    FakeYoutubeDL.answer, FakeYoutubeDL.warnings = None, ()
    return FakeYoutubeDL


def test_the_search_that_is_asked_for(site: type[FakeYoutubeDL]) -> None:
    site.answer = {"_type": "playlist", "entries": iter([entry(ID)])}
    task = Task("Fold a Shirt", query="how to fold a shirt")
    assert [hit.video_id for hit in YouTubeSource().find(task, 200)] == [f"youtube-{ID}"]
    assert site.last.asked == ("ytsearch200:how to fold a shirt", False, False)


def test_a_search_that_breaks_off(site: type[FakeYoutubeDL]) -> None:
    def pages() -> Iterator[dict[str, Any]]:
        yield entry(ID)
        raise ytdlp.HTTPError(_response(429, {"Retry-After": "30"}))

    site.answer = {"entries": pages()}
    found = YouTubeSource().find(Task("x", query="how to x"), 10)
    assert next(found).rank == 1
    with pytest.raises(ItemError) as caught:
        next(found)
    assert caught.value.reason is Reason.RATE_LIMITED
    assert caught.value.seconds == 30.0


def test_a_search_that_never_ends(
    site: type[FakeYoutubeDL], monkeypatch: pytest.MonkeyPatch
) -> None:
    def pages() -> Iterator[dict[str, Any]]:
        yield entry(ID)
        while True:
            time.sleep(0.005)

    site.answer = {"entries": pages()}
    seconds = 60.0
    monkeypatch.setattr(ytdlp, "in_time", lambda _, work: in_time(seconds, work))
    found = YouTubeSource().find(Task("x", query="how to x"), 10)
    assert next(found).rank == 1
    seconds = 0.05  # from here on: the first hit may need longer on a busy machine
    time.sleep(0.1)  # what is done between two hits is none of the search's time
    with pytest.raises(ItemError) as caught:
        next(found)
    assert caught.value.reason is Reason.TIME_LIMIT


def test_sources_of_one_site_say_so() -> None:
    assert YouTubeSource.site == HowTo100MCsvSource.site == "youtube"


@pytest.mark.parametrize("task", [None, Task("x")])
def test_nothing_to_search_for(task: Task | None) -> None:
    with pytest.raises(UsageError, match="--tasks or --ids"):
        YouTubeSource().find(task, 10)


def test_what_yt_dlp_is_told(site: type[FakeYoutubeDL]) -> None:
    site.answer = INFO
    found = YouTubeSource(proxy="socks5://localhost:1080").describe(CANDIDATE)
    assert found.title == INFO["title"]
    assert site.last.asked == (CANDIDATE.address, False, True)
    told = site.last.params
    assert told["extractor_args"] == {"youtube": {"skip": ["translated_subs"]}}
    assert told["proxy"] == "socks5://localhost:1080"
    assert (told["fixup"], told["postprocessors"]) == ("never", [])
    assert not told.get("writeautomaticsub")
    assert told["socket_timeout"] == 20.0


def test_captions_that_a_token_would_give(site: type[FakeYoutubeDL]) -> None:
    site.warnings = (
        f"{ID}: There are missing subtitles languages because a PO token was not provided. "
        "Automatic captions for 1 languages are missing.",
    )
    site.answer = {**INFO, "subtitles": {}, "automatic_captions": {}}
    source = YouTubeSource()
    with pytest.raises(ItemError) as caught:
        source.describe(CANDIDATE)
    assert caught.value.reason is Reason.TOKEN_NEEDED
    site.answer = INFO
    assert source.describe(CANDIDATE).tracks
    # What was said of one video is not held against the next.
    site.answer, site.warnings = {**INFO, "subtitles": {}, "automatic_captions": {}}, ()
    assert source.describe(CANDIDATE).tracks == ()


def test_yt_dlp_is_made_anew_now_and_then(site: type[FakeYoutubeDL]) -> None:
    site.answer = INFO
    source = YouTubeSource()
    source.describe(CANDIDATE)
    first = site.last
    for _ in range(499):
        source.describe(CANDIDATE)
    assert site.last is first
    source.describe(CANDIDATE)
    assert site.last is not first


@pytest.mark.parametrize("entries", [[], [INFO, INFO]])
def test_an_address_of_several_videos(site: type[FakeYoutubeDL], entries: list[Any]) -> None:
    site.answer = {"_type": "playlist", "entries": entries}
    with pytest.raises(ItemError, match="the address holds") as caught:
        YouTubeSource().describe(CANDIDATE)
    assert caught.value.reason is Reason.NO_MEDIA


def test_a_list_of_one(site: type[FakeYoutubeDL]) -> None:
    site.answer = {"_type": "playlist", "entries": [None, INFO]}
    assert YouTubeSource().describe(CANDIDATE).title == INFO["title"]


# --- proxies and cookies ---


@pytest.mark.parametrize(
    "proxy",
    ["garbage", "localhost:1080", "ftp://localhost", "socks5://", "http://x:port", "http://[::1"],
)
def test_what_is_no_proxy(proxy: str) -> None:
    with pytest.raises(UsageError, match="is no address of a proxy: expected one such as"):
        YouTubeSource(proxy=proxy)


@pytest.mark.parametrize(
    "proxy", ["socks5://localhost:1080", "SOCKS5h://u:p@h", "http://[::1]:8080", "", None]
)
def test_what_is_a_proxy(proxy: str | None) -> None:
    assert YouTubeSource(proxy=proxy).name == "youtube"


def test_cookies_are_read_before_anything_is_asked(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cookies cannot be read.*directory"):
        YouTubeSource(cookies=tmp_path)


HEADER = "# Netscape HTTP Cookie File\n"
COOKIE = ".example.org\tTRUE\t/\tFALSE\t0\tname\tvalue\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "No such file"),
        ("", "expected its first line to be"),
        (COOKIE, "expected its first line to be"),
        (f"{HEADER}\n{COOKIE}name=value\n", "line 4: expected seven fields"),
        (HEADER + COOKIE.replace("\t0\t", "\tsoon\t"), "line 2: expected seven fields"),
    ],
)
def test_cookies_that_cannot_be_read(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], text: str | None, message: str
) -> None:
    if text is not None:
        (tmp_path / "cookies.txt").write_text(text)
    with pytest.raises(UsageError, match=message):
        YouTubeSource(cookies=tmp_path / "cookies.txt").describe(CANDIDATE)
    assert capfd.readouterr() == ("", "")


def test_what_is_missing_is_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.chdir("/")
    assert any("deno" in line for line in ytdlp.what_is_missing())


def _response(status: int, headers: dict[str, str]) -> Any:
    import io

    from yt_dlp.networking.common import Response

    return Response(io.BytesIO(b""), "https://example.org/", headers, status)


def test_a_candidate_of_another_list_is_the_same_video() -> None:
    other = youtube_candidate("howto100m-csv", ID)
    assert isinstance(other, Candidate)
    assert other.video_id == CANDIDATE.video_id
