"""Videos at addresses: the real yt-dlp against a real server on loopback, and all that it refuses.

Where the server has to count as one on the web, 127.0.0.1 is said to be public and the rest of
127.0.0.0/8 stays what it is.
"""

import gzip
import socket
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import pytest
from yt_dlp.networking.common import Request
from yt_dlp.networking.exceptions import RequestError

from howto.collect import addresses, guard, place, ytdlp
from howto.collect.fetched import Candidate, CaptionTrack, Described, hashed_id
from howto.collect.guard import GuardedYoutubeDL
from howto.collect.sources.urls import UrlsSource
from howto.errors import ItemError, Reason, RetryLater
from howto.media.probe import probe
from howto.records import Kind
from tests.collect.site import Answer, Site, carrying, serving, video_page

HEIGHT = 360
MP4, VTT = "video/mp4", "text/vtt"


@pytest.fixture(scope="module")
def media(shared_data: Path) -> bytes:
    return (shared_data / "videos" / "carving_ice.mp4").read_bytes()


@pytest.fixture(scope="module")
def captions(shared_data: Path) -> bytes:
    return (shared_data / "captions" / "webvttpy_sample.vtt").read_bytes()


@pytest.fixture
def site(media: bytes, captions: bytes) -> Iterator[Site]:
    track = '<track kind="captions" src="/c.vtt" srclang="en-GB" label="English">'
    answers: dict[str, Answer | list[Answer]] = {
        "/v.mp4": Answer(media, MP4),
        "/c.vtt": Answer(captions, VTT),
        "/page": video_page("/v.mp4", tracks=track, title="Carve ice"),
    }
    with serving(answers) as running:
        yield running


@pytest.fixture(autouse=True)
def no_proxy_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def source(**options: object) -> UrlsSource:
    """One that waits long: on a busy machine what is late would be asked for a second time."""
    return UrlsSource(**{"allow_private": True, "timeout": 30.0, **options})


def source_for(answer: Answer) -> UrlsSource:
    """One that gives up soon where the answer never comes to its end."""
    return source() if answer.stall is None else source(timeout=0.5)


def candidate(address: str) -> Candidate:
    return Candidate(hashed_id("urls", address), "urls", address, rank=0)


def refusal(attempt: Callable[[], object]) -> ItemError:
    with pytest.raises(ItemError) as caught:
        attempt()
    return caught.value


# --- what is there ---


def test_a_page_with_a_video_and_captions(
    site: Site, tmp_path: Path, media: bytes, captions: bytes
) -> None:
    asked = source()
    found = asked.describe(candidate(site.url("/page")))
    assert found.title.startswith("Carve ice")
    assert found.tracks == (CaptionTrack("en-GB", Kind.MANUAL, "vtt", "subtitles/en-GB"),)
    video_id = found.candidate.video_id
    path = asked.captions(found, found.tracks[0], tmp_path)
    assert path == tmp_path / f"{video_id}.en-GB.vtt"
    assert path.read_bytes() == captions
    path = asked.media(found, HEIGHT, tmp_path)
    assert path == tmp_path / f"{video_id}.mp4"
    assert path.read_bytes() == media
    assert site.paths() == ["/page", "/c.vtt", "/v.mp4"]
    assert sorted(left.name for left in tmp_path.iterdir()) == [
        f"{video_id}.en-GB.vtt",
        f"{video_id}.mp4",
    ]


@pytest.mark.parametrize(
    "head",
    [
        '<meta property="og:video" content="/v.mp4">',
        '<meta name="twitter:player:stream" content="/v.mp4">',
    ],
)
def test_a_page_that_only_names_its_video(
    site: Site, tmp_path: Path, media: bytes, head: str
) -> None:
    text = f"<!doctype html><html><head><title>x</title>{head}</head><body></body></html>"
    site.answers["/named"] = Answer(text.encode())
    asked = source()
    found = asked.describe(candidate(site.url("/named")))
    assert asked.media(found, HEIGHT, tmp_path).read_bytes() == media


@pytest.mark.parametrize("suffix", ["mp4", "exe", "sh", "mp4%2F..%2Fx", ""])
def test_the_name_of_a_file_decides_nothing(
    site: Site, tmp_path: Path, media: bytes, suffix: str
) -> None:
    site.answers[f"/film.{suffix}"] = Answer(media, MP4)
    asked = source()
    found = asked.describe(candidate(site.url(f"/film.{suffix}")))
    path = asked.media(found, HEIGHT, tmp_path)
    assert path == tmp_path / f"{found.candidate.video_id}.mp4"
    assert path.read_bytes() == media


def test_titles_of_all_kinds_stay_titles(site: Site, tmp_path: Path) -> None:
    title = "../../" + "x" * 300 + "\u202e CON %(id)s -exec rm"
    site.answers["/odd"] = video_page("/v.mp4", title=title)
    asked = source()
    found = asked.describe(candidate(site.url("/odd")))
    assert "../../" in found.title
    path = asked.media(found, HEIGHT, tmp_path / ".")
    assert path.name == f"{found.candidate.video_id}.mp4"
    assert len(list(tmp_path.iterdir())) == 1


def test_redirects_are_followed(site: Site, tmp_path: Path, media: bytes) -> None:
    for number in range(3):
        site.answers[f"/r{number}"] = Answer(
            status=302, headers={"Location": f"/r{number + 1}" if number < 2 else "/page"}
        )
    asked = source()
    found = asked.describe(candidate(site.url("/r0")))
    assert found.candidate.address == site.url("/r0")
    assert asked.media(found, HEIGHT, tmp_path).read_bytes() == media


def test_picture_and_sound_apart(site: Site, tmp_path: Path, shared_data: Path) -> None:
    # What a site of this kind lists, as yt-dlp hands it on.
    whole = shared_data / "videos" / "carving_ice.mp4"
    formats = []
    for kind, codec in (("video", "acodec"), ("audio", "vcodec")):
        part = tmp_path / f"{kind}.mp4"
        with av.open(str(whole)) as container, av.open(str(part), "w") as target:
            stream = getattr(container.streams, kind)[0]
            copy = target.add_stream_from_template(stream)
            for packet in container.demux(stream):
                if packet.dts is not None:
                    packet.stream = copy
                    target.mux(packet)
        site.answers[f"/{kind}"] = Answer(part.read_bytes(), MP4)
        form = {"format_id": f"{kind}/../x", "url": site.url(f"/{kind}"), codec: "none"}
        formats.append({**form, "protocol": "http", "ext": "mp4", "height": 240})
    raw = {"id": "x", "title": "x", "extractor": "x", "extractor_key": "X", "formats": formats}
    into = tmp_path / "into"
    into.mkdir()
    path = source().media(Described(candidate(site.url("/x")), raw=raw), HEIGHT, into)
    assert [left.name for left in into.iterdir()] == [path.name]
    assert probe(path).has_audio
    assert abs(probe(path).duration - probe(whole).duration) < 0.1


def test_a_stream_in_pieces(
    site: Site, tmp_path: Path, shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = tmp_path / "stream.ts"
    whole = shared_data / "videos" / "carving_ice.mp4"
    with av.open(str(whole)) as container, av.open(str(stream), "w", format="mpegts") as target:
        copies = {each.index: target.add_stream_from_template(each) for each in container.streams}
        for packet in container.demux():
            if packet.dts is not None:
                packet.stream = copies[packet.stream_index]
                target.mux(packet)
    body = stream.read_bytes()
    half = len(body) // 188 // 2 * 188
    site.answers["/0.ts"] = Answer(body[:half], "video/mp2t")
    site.answers["/1.ts"] = Answer(body[half:], "video/mp2t")
    playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:3.3,\n/0.ts\n#EXTINF:3.3,\n/1.ts\n"
    site.answers["/live.m3u8"] = Answer(
        f"{playlist}#EXT-X-ENDLIST\n".encode(), "application/x-mpegurl"
    )
    program = _a_program_that_tells(tmp_path, monkeypatch)
    asked = source()
    found = asked.describe(candidate(site.url("/live.m3u8")))
    path = asked.media(found, HEIGHT, tmp_path)
    assert path.suffix == ".mp4"
    assert abs(probe(path).duration - probe(whole).duration) < 0.2
    assert site.paths()[-2:] == ["/0.ts", "/1.ts"]
    assert not program.exists()


def _a_program_that_tells(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An ffmpeg on the path that leaves a file behind when it is run."""
    programs, ran = folder / "programs", folder / "ran"
    programs.mkdir()
    for name in ("ffmpeg", "ffprobe", "avconv", "aria2c", "curl", "wget"):
        (programs / name).write_text(f"#!/bin/sh\necho {name} >> '{ran}'\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    return ran


# --- what the site refuses ---


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(status=404), Reason.GONE),
        (Answer(status=410), Reason.GONE),
        (Answer(status=403), Reason.BLOCKED),
        (Answer(status=401), Reason.PRIVATE),
        (Answer(status=451), Reason.REGION_BLOCKED),
        (Answer(status=429), Reason.RATE_LIMITED),
        (Answer(status=500), Reason.NETWORK),
        (Answer(b"<!doctype html><html><body>words</body></html>"), Reason.NO_MEDIA),
        (Answer(b"<html>", stall=3), Reason.NETWORK),
        (Answer(b"<!doctype html>" + b"x" * 5000, cut=600), Reason.TRUNCATED),
        (Answer(status=302, headers={"Location": "/it"}), Reason.NETWORK),
        (Answer(status=302, headers={"Location": "file:///etc/passwd"}), Reason.REFUSED_ADDRESS),
        (Answer(status=302, headers={"Location": "ftp://127.0.0.1/x"}), Reason.REFUSED_ADDRESS),
    ],
)
def test_a_page_that_is_refused(site: Site, answer: Answer, reason: Reason) -> None:
    site.answers["/it"] = answer
    error = refusal(lambda: source_for(answer).describe(candidate(site.url("/it"))))
    assert error.reason is reason
    assert not isinstance(error, RetryLater)


def test_too_much_was_asked(site: Site) -> None:
    site.answers["/it"] = Answer(status=429, headers={"Retry-After": "120"})
    error = refusal(lambda: source().describe(candidate(site.url("/it"))))
    assert isinstance(error, RetryLater)
    assert (error.reason, error.seconds) == (Reason.RATE_LIMITED, 120.0)


def test_nobody_answers() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        assert refusal(lambda: source().describe(candidate(address))).reason is Reason.NETWORK


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(b"", VTT), Reason.TOKEN_NEEDED),
        (Answer(b"\n  \n", VTT), Reason.TOKEN_NEEDED),
        (Answer(b"<!DOCTYPE html><html>Sorry</html>", "text/html"), Reason.BLOCKED),
        (Answer(b"\xef\xbb\xbf\n<HTML>Sorry</HTML>", VTT), Reason.BLOCKED),
        (Answer(b"WEBVTT\n\n", "text/html; charset=utf-8"), Reason.BLOCKED),
        (Answer(status=404), Reason.NO_CAPTIONS),
        (Answer(status=410), Reason.NO_CAPTIONS),
        (Answer(status=403), Reason.BLOCKED),
        (Answer(status=429, headers={"Retry-After": "9"}), Reason.RATE_LIMITED),
        (Answer(status=503), Reason.NETWORK),
        (Answer(b"WEBVTT\n\n", VTT, stall=3), Reason.NETWORK),
        (Answer(b"WEBVTT\n\n", VTT, cut=3), Reason.TRUNCATED),
        (Answer(b"WEBVTT\n\n", VTT, length=500), Reason.TRUNCATED),
        (Answer(status=302, headers={"Location": "/sorry/index"}), Reason.BOT_CHECK),
    ],
)
def test_captions_that_are_refused(
    site: Site, tmp_path: Path, answer: Answer, reason: Reason
) -> None:
    site.answers["/c.vtt"] = answer
    site.answers["/sorry/index"] = Answer(b"<html>unusual traffic</html>")
    found = source().describe(candidate(site.url("/page")))
    error = refusal(lambda: source_for(answer).captions(found, found.tracks[0], tmp_path))
    assert error.reason is reason
    assert isinstance(error, RetryLater) == ("Retry-After" in answer.headers)
    assert list(tmp_path.iterdir()) == []


# --- files that do not come whole ---


def test_a_body_that_is_cut_short_is_continued(site: Site, tmp_path: Path, media: bytes) -> None:
    site.answers["/v.mp4"] = Answer(media, MP4, cut=100_000)
    asked = source()
    found = asked.describe(candidate(site.url("/page")))
    assert asked.media(found, HEIGHT, tmp_path).read_bytes() == media
    ranges = [each.range for each in site.asked if each.path == "/v.mp4"]
    assert ranges == [None, "bytes=100000-", "bytes=200000-", "bytes=300000-"]


def test_what_is_left_is_continued_by_another_run(site: Site, tmp_path: Path, media: bytes) -> None:
    site.answers["/v.mp4"] = [
        Answer(media, MP4, cut=50_000),
        *[Answer(media, MP4, cut=1)] * 3,
        Answer(media, MP4),
    ]
    address = candidate(site.url("/page"))
    first = source()
    found = first.describe(address)
    assert refusal(lambda: first.media(found, HEIGHT, tmp_path)).reason is Reason.TRUNCATED
    assert not list(tmp_path.glob("*.mp4"))
    again = source()
    path = again.media(again.describe(address), HEIGHT, tmp_path)
    assert path.read_bytes() == media
    assert site.asked[-1].range == "bytes=50003-"
    assert list(tmp_path.iterdir()) == [path]


def test_a_site_that_cannot_continue_begins_anew(site: Site, tmp_path: Path, media: bytes) -> None:
    site.answers["/v.mp4"] = [Answer(media, MP4, cut=9999), Answer(media, MP4, ranges=False)]
    asked = source()
    found = asked.describe(candidate(site.url("/page")))
    assert asked.media(found, HEIGHT, tmp_path).read_bytes() == media


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"stall": 100_000}, Reason.NETWORK),
        ({"cut": 100, "ranges": False}, Reason.TRUNCATED),
        ({"length": 10_000_000}, Reason.TRUNCATED),
        ({"body": b""}, Reason.TRUNCATED),
        ({"status": 404}, Reason.NETWORK),  # its page was there
        ({"status": 410}, Reason.NETWORK),
        ({"status": 403}, Reason.BLOCKED),
        ({"status": 503}, Reason.NETWORK),
    ],
)
def test_a_file_that_does_not_come(
    site: Site, tmp_path: Path, media: bytes, changes: dict[str, Any], reason: Reason
) -> None:
    answer = Answer(**{"body": media, "kind": MP4, **changes})
    site.answers["/v.mp4"] = answer
    found = source().describe(candidate(site.url("/page")))
    asked = source_for(answer)
    assert refusal(lambda: asked.media(found, HEIGHT, tmp_path)).reason is reason
    assert not list(tmp_path.glob("*.mp4"))


def test_a_piece_that_is_not_there(site: Site, tmp_path: Path) -> None:
    site.answers["/0.ts"] = Answer(b"x" * 188, "video/mp2t")
    playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:3.3,\n/0.ts\n#EXTINF:3.3,\n/1.ts\n"
    site.answers["/live.m3u8"] = Answer(
        f"{playlist}#EXT-X-ENDLIST\n".encode(), "application/x-mpegurl"
    )
    asked = source()
    found = asked.describe(candidate(site.url("/live.m3u8")))
    assert refusal(lambda: asked.media(found, HEIGHT, tmp_path)).reason is Reason.NETWORK
    assert "/1.ts" in site.paths()


def a_hurried_source(seconds: float) -> UrlsSource:
    asked = source()
    asked._site = ytdlp.Site(
        ytdlp.Asking(longest=seconds, longest_file=seconds, guarded=True, allow_private=True)
    )
    return asked


def test_a_site_that_sends_a_byte_now_and_then(site: Site, tmp_path: Path, media: bytes) -> None:
    found = source().describe(candidate(site.url("/page")))
    page = site.answers["/page"]
    site.answers["/slow"] = Answer(page.body, drip=0.02)
    site.answers["/c.vtt"] = Answer(b"WEBVTT\n\n" * 1000, VTT, drip=0.02)
    site.answers["/v.mp4"] = Answer(media, MP4, drip=0.02)
    hurried = a_hurried_source(0.3)
    for attempt in (
        lambda: hurried.describe(candidate(site.url("/slow"))),
        lambda: hurried.captions(found, found.tracks[0], tmp_path),
        lambda: hurried.media(replace(found, duration=0.2), HEIGHT, tmp_path),
    ):
        assert refusal(attempt).reason is Reason.TIME_LIMIT
    site.answers["/v.mp4"] = Answer(media, MP4)
    unhurried = replace(found, duration=600.0)
    assert hurried.media(unhurried, HEIGHT, tmp_path).read_bytes() == media


def test_a_film_may_take_as_long_as_it_plays(site: Site, tmp_path: Path, media: bytes) -> None:
    found = source().describe(candidate(site.url("/page")))
    hurried = a_hurried_source(0.0)
    path = hurried.media(replace(found, duration=600.0), HEIGHT, tmp_path)
    assert path.read_bytes() == media


def test_the_disk_fills_while_a_file_is_fetched(
    site: Site, tmp_path: Path, media: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = source()
    asked.keep_free = 1000
    found = asked.describe(candidate(site.url("/page")))
    free = [1000]
    monkeypatch.setattr(place.shutil, "disk_usage", lambda _: SimpleNamespace(free=free[0]))
    path = asked.media(found, HEIGHT, tmp_path)
    assert path.read_bytes() == media
    path.unlink()
    free[0] = 999
    site.answers["/v.mp4"] = Answer(media, MP4, stall=len(media) // 2)
    assert refusal(lambda: asked.media(found, HEIGHT, tmp_path)).reason is Reason.DISK_FULL
    site.answers["/v.mp4"] = Answer(media, MP4)
    asked.keep_free = 0
    assert asked.media(found, HEIGHT, tmp_path).read_bytes() == media


def test_a_file_without_end_is_left_and_leaves_nothing(
    site: Site, tmp_path: Path, media: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = source()
    found = asked.describe(candidate(site.url("/page")))
    monkeypatch.setattr(ytdlp, "most_bytes", lambda _: len(media) - 1)
    error = refusal(lambda: asked.media(found, HEIGHT, tmp_path))
    assert (error.reason, list(tmp_path.iterdir())) == (Reason.NO_MEDIA, [])
    monkeypatch.setattr(ytdlp, "most_bytes", lambda _: len(media))
    assert asked.media(found, HEIGHT, tmp_path).read_bytes() == media


def test_more_than_any_video_has() -> None:
    assert place.most_bytes(0.0) == 1 << 30
    assert place.most_bytes(100.0) > 30 * place.media_bytes(1080, 100.0)
    assert place.most_bytes(None) == place.most_bytes(2000.0)


@pytest.mark.parametrize("allowed", [True, False])
@pytest.mark.parametrize("packing", ["", "gzip", "deflate", "gzip, gzip"])
@pytest.mark.usefixtures("one_public_address")
def test_a_page_without_end(
    site: Site, monkeypatch: pytest.MonkeyPatch, packing: str, allowed: bool
) -> None:
    """What is read as a whole has a bound, also when it is unpacked."""
    monkeypatch.setattr(guard, "_LARGEST_ANSWER", 100_000)
    whole = site.answers["/page"].body
    asked = source(allow_private=allowed)
    # yt-dlp reads 512 bytes of a page by themselves.
    for size, fits in ((100_000, True), (100_513, False)):
        body = whole + b" " * (size - len(whole))
        for name in packing.split(", ") if packing else ():
            body = gzip.compress(body) if name == "gzip" else zlib.compress(body)
        site.answers["/page"] = Answer(
            body, headers={"Content-Encoding": packing} if packing else {}
        )
        if fits:
            assert asked.describe(candidate(site.url("/page"))).tracks
        else:
            error = refusal(lambda: asked.describe(candidate(site.url("/page"))))
            assert (error.reason, "in place of a page" in error.detail) == (Reason.NO_MEDIA, True)


@pytest.mark.parametrize(
    ("packing", "damage", "reason"),
    [
        ("gzip", lambda body: gzip.compress(body)[:-20], Reason.TRUNCATED),
        ("gzip", lambda body: body, Reason.TRUNCATED),
        ("br", lambda body: body, Reason.BLOCKED),
    ],
)
def test_a_page_that_cannot_be_unpacked(
    site: Site, packing: str, damage: Callable[[bytes], bytes], reason: Reason
) -> None:
    body = damage(site.answers["/page"].body)
    site.answers["/page"] = Answer(body, headers={"Content-Encoding": packing})
    error = refusal(lambda: source().describe(candidate(site.url("/page"))))
    assert error.reason is reason


@pytest.mark.parametrize("packing", ["identity", "deflate"])
def test_pages_that_come_packed_otherwise(site: Site, packing: str) -> None:
    body = site.answers["/page"].body
    bare = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = bare.compress(body) + bare.flush() if packing == "deflate" else body
    site.answers["/page"] = Answer(packed, headers={"Content-Encoding": packing})
    assert source().describe(candidate(site.url("/page"))).tracks


def test_a_page_that_was_cut_off_is_not_taken_for_whole(site: Site) -> None:
    body = site.answers["/page"].body
    site.answers["/page"] = Answer(body, length=len(body) + 10)
    error = refusal(lambda: source().describe(candidate(site.url("/page"))))
    assert error.reason is Reason.TRUNCATED


def test_endless_captions(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = source()
    found = asked.describe(candidate(site.url("/page")))
    monkeypatch.setattr(ytdlp, "_LARGEST_CAPTIONS", 100)
    site.answers["/c.vtt"] = Answer(b"WEBVTT\n\n" + b"x" * 93, VTT)
    error = refusal(lambda: asked.captions(found, found.tracks[0], tmp_path))
    assert error.reason is Reason.UNREADABLE_CAPTIONS
    body = b"WEBVTT\n\n" + b"x" * 92
    site.answers["/c.vtt"] = Answer(body, VTT)
    assert asked.captions(found, found.tracks[0], tmp_path).read_bytes() == body


def test_captions_that_come_packed(site: Site, tmp_path: Path) -> None:
    body = b"WEBVTT\n\n"
    packed = gzip.compress(body)
    assert len(packed) > len(body)  # the length that is stated is that of what was packed
    site.answers["/c.vtt"] = Answer(packed, VTT, headers={"Content-Encoding": "gzip"})
    asked = source()
    found = asked.describe(candidate(site.url("/page")))
    assert asked.captions(found, found.tracks[0], tmp_path).read_bytes() == body


def test_a_length_that_is_too_small_gives_no_whole_file(
    site: Site, tmp_path: Path, media: bytes
) -> None:
    site.answers["/v.mp4"] = Answer(media, MP4, length=200_000)
    asked = source()
    found = asked.describe(candidate(site.url("/page")))
    assert refusal(lambda: asked.media(found, HEIGHT, tmp_path)).reason is Reason.TRUNCATED
    assert list(tmp_path.iterdir()) == []  # nothing can be continued from it


def test_no_length_and_a_body_cut_short(site: Site, tmp_path: Path, media: bytes) -> None:
    site.answers["/v.mp4"] = Answer(media, MP4, length=-1, cut=200_000, ranges=False)
    asked = source()
    found = asked.describe(candidate(site.url("/page")))
    assert refusal(lambda: asked.media(found, HEIGHT, tmp_path)).reason is Reason.TRUNCATED


def test_a_page_in_place_of_a_film(site: Site, tmp_path: Path) -> None:
    site.answers["/v.mp4"] = Answer(b"<html>please log in</html>")
    asked = source()
    found = asked.describe(candidate(site.url("/page")))
    assert refusal(lambda: asked.media(found, HEIGHT, tmp_path)).reason is Reason.NOT_MEDIA
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk(site: Site, tmp_path: Path) -> None:
    asked = source()
    found = asked.describe(candidate(site.url("/page")))
    part = tmp_path / f"{found.candidate.video_id}.f0.bin.part"
    part.symlink_to("/dev/full")
    assert refusal(lambda: asked.media(found, HEIGHT, tmp_path)).reason is Reason.DISK_FULL
    (tmp_path / f"{found.candidate.video_id}.en-GB.vtt.part").symlink_to("/dev/full")
    error = refusal(lambda: asked.captions(found, found.tracks[0], tmp_path))
    assert error.reason is Reason.DISK_FULL


# --- addresses that are not asked ---


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "0"])
def test_this_machine_is_not_asked(site: Site, host: str) -> None:
    guarded = source(allow_private=False)
    error = refusal(lambda: guarded.describe(candidate(site.url("/page", host))))
    assert error.reason is Reason.REFUSED_ADDRESS
    assert "--allow-private" in str(error)
    assert site.asked == []


@pytest.mark.parametrize("address", ["file:///etc/passwd", "ytsearch:cats", "rtmp://x/y", "x"])
def test_other_schemes_are_not_asked(address: str) -> None:
    error = refusal(lambda: source().describe(candidate(address)))
    assert error.reason is Reason.REFUSED_ADDRESS


def test_yt_dlp_s_own_notes_are_not_taken_from_a_list(site: Site) -> None:
    address = site.url("/page#__youtubedl_smuggle=%7B%22to_generic%22%3Atrue%7D")
    error = refusal(lambda: source().describe(candidate(address)))
    assert error.reason is Reason.REFUSED_ADDRESS


@pytest.fixture
def one_public_address(monkeypatch: pytest.MonkeyPatch) -> None:
    judge = addresses.is_public
    monkeypatch.setattr(addresses, "is_public", lambda n: n == "127.0.0.1" or judge(n))


@pytest.mark.usefixtures("one_public_address")
def test_a_public_page(site: Site, tmp_path: Path, media: bytes) -> None:
    asked = source(allow_private=False)
    found = asked.describe(candidate(site.url("/page")))
    assert asked.media(found, HEIGHT, tmp_path).read_bytes() == media


@pytest.mark.usefixtures("one_public_address")
@pytest.mark.parametrize("host", ["127.0.0.2", "[::1]", "10.0.0.7", "2130706434"])
def test_a_redirect_to_a_private_address(site: Site, host: str) -> None:
    target = {"Location": site.url("/page", host)}
    site.answers["/away"] = Answer(status=302, headers=target)
    error = refusal(lambda: source(allow_private=False).describe(candidate(site.url("/away"))))
    assert error.reason is Reason.REFUSED_ADDRESS
    assert site.paths() == ["/away"]


@pytest.mark.usefixtures("one_public_address")
def test_files_of_a_public_page_at_a_private_address(site: Site, tmp_path: Path) -> None:
    inside = site.url("/v.mp4", "127.0.0.2")
    track = f'<track kind="captions" src="{site.url("/c.vtt", "127.0.0.2")}" srclang="en">'
    site.answers["/page"] = video_page(inside, tracks=track)
    asked = source(allow_private=False)
    found = asked.describe(candidate(site.url("/page")))
    for attempt in (
        lambda: asked.media(found, HEIGHT, tmp_path),
        lambda: asked.captions(found, found.tracks[0], tmp_path),
    ):
        assert refusal(attempt).reason is Reason.REFUSED_ADDRESS
    assert site.paths() == ["/page"]


@pytest.mark.usefixtures("one_public_address")
def test_a_name_that_changes_its_mind(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was judged is what is connected to: there is no second look at the name."""
    answers = iter(["127.0.0.1", "127.0.0.2", "127.0.0.2"])

    def resolve(host: str, port: int, *_: object, **__: object) -> list[tuple[object, ...]]:
        number = next(answers) if host == "two-faced.example" else host
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (number, port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    asked = source(allow_private=False)
    address = candidate(site.url("/page", "two-faced.example"))
    assert asked.describe(address).tracks  # the first time it is public
    assert refusal(lambda: asked.describe(address)).reason is Reason.REFUSED_ADDRESS
    assert site.paths() == ["/page"]


# 127.0.0.1, and a name of it, in ways that only some programs read.
ENCODED = ["127.0.0%2e1", "127%2E0.0.1", "%31%32%37.0.0.1", "localhos%74", "127.0.0.1%20"]


@pytest.mark.parametrize("user", ["", "me@", "m%65:x@"])
@pytest.mark.parametrize("host", [*ENCODED, "127.0.0.1", "localhost"])
def test_an_encoded_host_is_not_asked(site: Site, host: str, user: str) -> None:
    guarded = source(allow_private=False)
    error = refusal(lambda: guarded.describe(candidate(site.url("/page", f"{user}{host}"))))
    assert error.reason is Reason.REFUSED_ADDRESS
    assert site.asked == []


@pytest.mark.usefixtures("one_public_address")
@pytest.mark.parametrize("user", ["", "me@", "m%65:x@"])
@pytest.mark.parametrize("host", ["127.0.0%2e2", "%31%32%37.0.0.2", "127.0.0.2"])
def test_a_redirect_to_an_encoded_host(site: Site, host: str, user: str) -> None:
    target = {"Location": site.url("/page", f"{user}{host}")}
    site.answers["/away"] = Answer(status=302, headers=target)
    error = refusal(lambda: source(allow_private=False).describe(candidate(site.url("/away"))))
    assert error.reason is Reason.REFUSED_ADDRESS
    assert site.paths() == ["/away"]


def test_the_lock_does_not_rest_on_the_reading_of_addresses(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where an address reads as harmless, what is connected to is judged all the same."""
    monkeypatch.setattr(guard, "check_address", lambda address, **_: address)
    with GuardedYoutubeDL({"quiet": True}) as ydl:
        for host in (*ENCODED[:4], "m%65@127.0.0.1"):
            with pytest.raises(RequestError):
                ydl.urlopen(site.url("/page", host))
    assert site.asked == []


def test_a_page_names_no_proxy(site: Site) -> None:
    headers = {"Ytdl-Request-Proxy": site.url("")}
    with GuardedYoutubeDL({"quiet": True}) as ydl, pytest.raises(RequestError):
        ydl.urlopen(Request("http://films.invalid/page", headers=headers))
    assert site.asked == []


# --- proxies and cookies ---


def test_a_proxy_is_used_and_judges_no_less(site: Site, tmp_path: Path, media: bytes) -> None:
    far = "http://films.invalid/page"  # a name that only the proxy knows
    site.answers[far] = site.answers["/page"]
    site.answers["http://films.invalid/v.mp4"] = Answer(media, MP4)
    asked = source(allow_private=False, proxy=site.url(""))
    found = asked.describe(candidate(far))
    assert asked.media(found, HEIGHT, tmp_path).read_bytes() == media
    assert site.paths() == [far, "http://films.invalid/v.mp4"]
    for near in ("http://localhost/x", "http://127.0.0.1/x", "http://10.0.0.1/x"):
        assert refusal(lambda near=near: asked.describe(candidate(near))).reason is (
            Reason.REFUSED_ADDRESS
        )
    assert len(site.asked) == 2


def test_a_proxy_that_carries_any_connection(site: Site, tmp_path: Path, media: bytes) -> None:
    with carrying(site.port) as (proxy, names):
        asked = source(allow_private=False, proxy=proxy)
        found = asked.describe(candidate("http://films.invalid/page"))
        assert asked.media(found, HEIGHT, tmp_path).read_bytes() == media
        assert names == ["films.invalid"] * 2
        for near in ("localhost", "10.0.0.1", "127.0.0%2e1"):
            error = refusal(lambda near=near: asked.describe(candidate(f"http://{near}/page")))
            assert error.reason is Reason.REFUSED_ADDRESS
    assert len(names) == 2


def test_cookies_are_sent_and_their_file_is_left_alone(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "cookies.txt"
    text = "# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t0\twho\tme\n"
    file.write_text(text)
    page = site.answers["/page"]
    site.answers["/page"] = Answer(page.body, headers={"Set-Cookie": "new=one; Path=/"})
    asked = source(cookies=file)
    found = asked.describe(candidate(site.url("/page")))
    asked.captions(found, found.tracks[0], tmp_path)
    assert [each.cookie for each in site.asked] == ["who=me", "who=me; new=one"]
    monkeypatch.setattr(ytdlp, "_RENEW_AFTER", 0)  # one that is put away writes down its cookies
    asked.describe(candidate(site.url("/page")))
    assert file.read_text() == text


def test_nothing_is_printed(site: Site, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    asked = source()
    found = asked.describe(candidate(site.url("/page")))
    asked.media(found, HEIGHT, tmp_path)
    refusal(lambda: asked.describe(candidate(site.url("/none"))))
    assert capfd.readouterr() == ("", "")
