"""yt-dlp as a library: what it is told, and what we ask of it.

It fetches; it writes nothing but the file it is told to, runs no other program, prints nothing and
reads no settings of the user's. Captions and files are fetched through its own opener, because
addresses are signed for who asked. Needs yt-dlp.
"""

import contextlib
import glob
import io
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from yt_dlp.cookies import CookieLoadError
from yt_dlp.networking.common import Request
from yt_dlp.networking.exceptions import HTTPError
from yt_dlp.postprocessor.ffmpeg import FFmpegPostProcessor
from yt_dlp.utils import DownloadError

from howto.collect.apart import join_apart, suffix_of_whole
from howto.collect.closing import ClosingYoutubeDL
from howto.collect.deadline import in_time
from howto.collect.faults import on_disk
from howto.collect.fetched import Candidate, CaptionTrack, Described
from howto.collect.formats import choose_formats
from howto.collect.guard import GuardedYoutubeDL
from howto.collect.infos import described, entry_of
from howto.collect.place import Places, check_room, most_bytes
from howto.collect.refusals import refusal_of
from howto.errors import HowtoError, ItemError, Reason, UsageError

__all__ = ["Asking", "Site", "what_is_missing"]

Returned = TypeVar("Returned")

_NO_PROGRAM = "/nonexistent/ffmpeg"  # yt-dlp then goes on without
_RENEW_AFTER = 500  # videos: yt-dlp keeps a little of each that it has seen
_NO_SUCH_RANGE = 416
_MESSAGES = 50
_END = object()
_LARGEST_CAPTIONS = 64 << 20
_PAGE = re.compile(rb"\s*(<!doctype\s+html|<html)", re.IGNORECASE)
_NO_TRACK = (404, 410)
_PIECED = ("m3u8_native", "m3u8", "http_dash_segments")
_ABOUT = ("id", "title", "extractor", "extractor_key", "webpage_url", "is_live", "live_status")
_PROXIES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")
_COOKIES_HEADER = re.compile("# (Netscape )?HTTP Cookie File")
_COOKIE = re.compile(r"(?:[^\t]*\t){4}[0-9]*(?:\.[0-9]+)?\t[^\t]*\t[^\t]*")


@dataclass(frozen=True, slots=True)
class Asking:
    """How a site is asked.

    Attributes:
        cookies: a file as browsers' add-ons export them (Netscape); read, never written to.
        proxy: such as `socks5://localhost:1080`; None for what the environment says.
        timeout: seconds without a single byte after which a connection is given up.
        longest: seconds that one answer may take: what is known of a video, a track of captions,
            the next hits of a search.
        longest_file: seconds that one file of a video may take, or the playing time of the video
            where that is more. What came until then is kept, and continued another time.
        attempts: how often a request that the network broke off is sent again, at once.
        guarded: addresses come from a list or a page: ask over http and https only, and no address
            on this machine or in its network.
        allow_private: where guarded, ask these addresses too.
        between: seconds between the requests that yt-dlp makes for one answer.
        extractors: yt-dlp's own arguments for sites, `{"youtube": {"skip": ["translated_subs"]}}`.
        cache: let yt-dlp keep what it learnt of a site's player in the user's cache folder.
    """

    cookies: Path | None = None
    proxy: str | None = None
    timeout: float = 20.0
    longest: float = 600.0
    longest_file: float = 3600.0
    attempts: int = 3
    guarded: bool = False
    allow_private: bool = False
    between: float = 0.0
    extractors: Mapping[str, Mapping[str, list[str]]] | None = None
    cache: bool = False

    def __post_init__(self) -> None:
        if self.proxy:
            _refuse_odd_proxy(self.proxy)


class Site:
    """One yt-dlp, made when it is first asked and made anew now and then.

    Raises:
        UsageError: the cookies cannot be read, or are none.
    """

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self._cookies = _cookies(asking.cookies)
        self._keeping: tuple[Path, int, float] | None = None
        self._heard = _Heard()
        self._ydl: ClosingYoutubeDL | None = None
        self._videos = 0

    def search(self, query: str) -> Iterator[Mapping[str, Any]]:
        """Yield the entries of a search, such as `ytsearch200:how to fold a shirt`, lazily.

        Raises:
            ItemError: the site refuses, or cannot be reached; after some entries, or before.
        """
        ydl = self._opened()
        found = self._ask(lambda: ydl.extract_info(query, download=False, process=False)) or {}
        entries = iter(found.get("entries") or ())
        while (entry := self._ask(lambda: next(entries, _END))) is not _END:
            if isinstance(entry, Mapping):
                yield entry

    def describe(self, candidate: Candidate) -> Described:
        """Ask for what there is to know of one video.

        Raises:
            ItemError: with the reason. NO_MEDIA also where the address holds several videos.
        """
        self._videos += 1
        self._heard.clear()
        ydl = self._opened()
        info = self._ask(lambda: ydl.extract_info(candidate.address, download=False))
        if not info:
            raise ItemError(Reason.NO_MEDIA, self._heard.last())
        found = described(candidate, _only_one(info))
        if not found.tracks and self._heard.captions_withheld():
            raise ItemError(Reason.TOKEN_NEEDED, self._heard.last())
        return found

    def captions(self, video: Described, track: CaptionTrack, into: Path) -> Path:
        """Fetch one track of captions, as `howto.contracts.Source.captions` says."""
        entry = entry_of(video.raw, track)
        if entry is None:
            raise ItemError(Reason.NO_CAPTIONS, f"no track {track.key} was described")
        data = entry.get("data")
        body = data.encode() if isinstance(data, str) else self._body(entry)
        name = f"{video.candidate.video_id}.{track.language}.{track.form}"
        with on_disk():
            unfinished = into / f"{name}.part"
            unfinished.write_bytes(body)
            return unfinished.replace(into / name)

    def media(self, video: Described, height: int, into: Path, keep_free: int = 0) -> Path:
        """Fetch the video as one file, as `howto.contracts.Source.media` says.

        Args:
            keep_free: bytes of the disk that stay free: DISK_FULL before there are fewer.
        """
        self._keeping = into, keep_free, most_bytes(video.duration)
        chosen = choose_formats(video.raw.get("formats") or [video.raw], height)
        if not chosen:
            raise ItemError(Reason.NO_MEDIA, "none of its files can be fetched whole")
        name = video.candidate.video_id
        seconds = max(self._asking.longest_file, video.duration or 0.0)
        parts = [self._fetched(video.raw, form, into / name, seconds) for form in chosen]
        with on_disk():
            suffixes = [
                _suffix_unless_damaged(part, video.duration, part is parts[0]) for part in parts
            ]
            if len(parts) == 1 and chosen[0].get("protocol") not in _PIECED:
                return parts[0].replace(into / f"{name}{suffixes[0]}")
            check_room(Places(into), keep_free, sum(part.stat().st_size for part in parts))
            out = join_apart(parts, into, name)
            for part in parts:
                part.unlink()
            return out

    def _fetched(
        self, info: Mapping[str, Any], form: Mapping[str, Any], stem: Path, seconds: float
    ) -> Path:
        """Fetch one of the files, or the rest of it."""
        # The format is in the name: another one's beginning would not fit the rest of this.
        which = re.sub(r"[^A-Za-z0-9]+", "-", str(form.get("format_id") or ""))[:40]
        part = stem.with_name(f"{stem.name}.f{which}.bin")
        about = {key: info.get(key) for key in _ABOUT}
        self._heard.clear()
        try:
            done = self._downloaded(part, {**about, **form}, seconds)
        except _TooLarge:
            for unwanted in part.parent.glob(f"{glob.escape(part.name)}*"):
                unwanted.unlink()
            raise
        except ItemError as error:
            if getattr(error.__cause__, "status", None) != _NO_SUCH_RANGE:
                raise
            # A kill left a part that is whole, or longer than the file is now. yt-dlp asks for what
            # comes after it, and takes the answer for a failure, again and again.
            part.with_name(f"{part.name}.part").unlink(missing_ok=True)
            done = self._downloaded(part, {**about, **form}, seconds)
        if not done or not part.is_file():
            raise ItemError(Reason.NETWORK, self._heard.last())
        return part

    def _downloaded(self, part: Path, info: Mapping[str, Any], seconds: float) -> bool:
        ydl = self._opened()
        with _no_such_file(), _no_programs():
            done, _ = self._ask(lambda: ydl.dl(str(part), dict(info)), seconds)
        return bool(done)

    def _ask(self, work: Callable[[], Returned], seconds: float | None = None) -> Returned:
        """Let nothing out of yt-dlp but as an error of ours, and not later than is allowed; leave
        no connection open."""
        try:
            return in_time(seconds or self._asking.longest, _theirs()(work))
        finally:
            if self._ydl is not None:
                self._ydl.close_answers()

    def _check_room(self, status: Mapping[str, Any]) -> None:
        """Called by yt-dlp with every block of a file."""
        if self._keeping is None:
            return
        into, keep_free, most = self._keeping
        if (status.get("downloaded_bytes") or 0) > most:
            detail = f"more than {most / 1e9:.0f} GB: no video of its length is so large"
            raise _TooLarge(Reason.NO_MEDIA, detail)
        check_room(Places(into), keep_free)

    def _body(self, entry: Mapping[str, Any]) -> bytes:
        """What the site answers in place of a track of captions: captions, or something else."""
        ydl = self._opened()
        request = Request(entry["url"], headers=dict(entry.get("http_headers") or {}))
        target, _ = ydl._parse_impersonate_targets(entry.get("impersonate"))
        if target is not None:
            request.extensions["impersonate"] = target

        def fetched() -> tuple[bytes, Mapping[str, str], str]:
            with _no_such_track(), contextlib.closing(ydl.urlopen(request)) as answer:
                return answer.read(_LARGEST_CAPTIONS + 1), answer.headers, answer.url

        body, headers, address = self._ask(fetched)
        if not body.strip():
            raise ItemError(Reason.TOKEN_NEEDED, "an empty answer in place of captions")
        _refuse_other_lengths(body, headers)
        kind = headers.get("Content-Type") or ""
        if kind.startswith("text/html") or _PAGE.match(body.removeprefix(b"\xef\xbb\xbf")):
            reason = Reason.BOT_CHECK if "/sorry/" in address else Reason.BLOCKED
            raise ItemError(reason, "a web page in place of captions")
        return body

    def _opened(self) -> ClosingYoutubeDL:
        if self._videos > _RENEW_AFTER and self._ydl is not None:
            self._ydl.close()
            self._ydl, self._videos = None, 0
        if self._ydl is None:
            self._ydl = self._made()
        return self._ydl

    def _made(self) -> ClosingYoutubeDL:
        asking = self._asking
        parameters = _parameters(asking, self._heard)
        parameters["progress_hooks"] = [self._check_room]
        if self._cookies is not None:  # as a text of our own: yt-dlp writes to what it is given
            parameters["cookiefile"] = io.StringIO(self._cookies)
        try:
            if asking.guarded:
                ydl = GuardedYoutubeDL(parameters, allow_private=asking.allow_private)
            else:
                ydl = ClosingYoutubeDL(parameters)
            _ = ydl.cookiejar  # read now, so that a bad file is told before the work
        except (CookieLoadError, DownloadError) as error:
            raise UsageError(f"the cookies in {asking.cookies} cannot be used: {error}") from error
        return ydl


class _TooLarge(ItemError):
    """A file goes on beyond all measure; what came of it is worth nothing."""


class _Heard:
    """What yt-dlp would have printed. The last of it explains what was not raised."""

    def __init__(self) -> None:
        self._messages: deque[str] = deque(maxlen=_MESSAGES)

    def debug(self, message: str) -> None:
        """Progress, and much else that nobody needs."""

    def warning(self, message: str) -> None:
        self._messages.append(" ".join(message.split()))

    error = warning

    def clear(self) -> None:
        self._messages.clear()

    def last(self) -> str:
        return self._messages[-1] if self._messages else ""

    def captions_withheld(self) -> bool:
        return any("missing subtitles languages because a PO token" in m for m in self._messages)


def what_is_missing() -> tuple[str, ...]:
    """Say what yt-dlp wants for YouTube and does not find here, in words for a person; () if all.

    Without a JavaScript runtime some or all of YouTube's formats are missing.
    """
    import importlib.util

    from yt_dlp.globals import supported_js_runtimes

    missing = []
    deno = supported_js_runtimes.value["deno"]().info
    if deno is None:
        missing.append(
            "no JavaScript runtime: YouTube offers fewer formats, or none. Install deno "
            "(https://deno.com), which runs a site's programs without rights of their own."
        )
    elif not deno.supported:
        missing.append(f"deno {deno.version} is too old for yt-dlp: update it.")
    if importlib.util.find_spec("yt_dlp_ejs") is None:
        missing.append(
            "the package yt-dlp-ejs, with which yt-dlp reads YouTube's player. Install it with: "
            "pip install 'yt-dlp[default]'"
        )
    return tuple(missing)


def _parameters(asking: Asking, heard: _Heard) -> dict[str, Any]:
    """What yt-dlp is told. Whatever could run a program, ask a person or write a file is off."""
    return {
        "logger": heard,
        "quiet": True,
        "noprogress": True,
        "color": "never",
        "format": "all",  # which one is fetched is chosen in `formats`
        "noplaylist": True,
        "playlist_items": "1:2",  # enough to see that an address holds more than one video
        "writesubtitles": True,  # nothing is written; without it a missing token is not told
        "extractor_args": asking.extractors or {},
        "proxy": asking.proxy,
        "socket_timeout": asking.timeout,
        "retries": asking.attempts,
        "fragment_retries": asking.attempts,
        "extractor_retries": asking.attempts,
        "skip_unavailable_fragments": False,
        "sleep_interval_requests": asking.between,
        "continuedl": True,
        "updatetime": False,
        "cachedir": None if asking.cache else False,
        "fixup": "never",
        "postprocessors": [],
        "ffmpeg_location": _NO_PROGRAM,
        "external_downloader": {"default": "native"},
        "check_formats": False,
        "geo_bypass": False,
    }


def _cookies(file: Path | None) -> str | None:
    """The user's cookies, looked through: yt-dlp prints what it finds wrong."""
    if file is None:
        return None
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise UsageError(f"the cookies cannot be read: {error}") from error
    if not _COOKIES_HEADER.match(text):
        raise UsageError(
            f"{file} is no cookie file: expected its first line to be '# Netscape HTTP Cookie File'"
        )
    for number, line in enumerate(text.splitlines(), 1):
        is_comment = line.startswith("#") and not line.startswith("#HttpOnly_")
        if line.strip() and not is_comment and not _COOKIE.fullmatch(line):
            raise UsageError(
                f"{file}, line {number}: expected seven fields parted by tabs, the fifth a number"
            )
    return text


def _refuse_odd_proxy(proxy: str) -> None:
    """Refuse what is no address of a proxy: yt-dlp would try it again and again."""
    try:
        parts = urlsplit(proxy)
        known = parts.scheme.lower() in _PROXIES and bool(parts.hostname)
        _ = parts.port
    except ValueError:
        known = False
    if not known:
        raise UsageError(
            f"{proxy!r} is no address of a proxy: expected one such as socks5://localhost:1080 or "
            "http://localhost:8080"
        )


def _only_one(info: Mapping[str, Any]) -> Mapping[str, Any]:
    """The one video of an address."""
    entries = info.get("entries")
    if entries is None:
        return info
    videos = [entry for entry in entries if entry]
    if len(videos) != 1:
        which = "several videos: list each by its own address" if videos else "no video"
        raise ItemError(Reason.NO_MEDIA, f"the address holds {which}")
    return _only_one(videos[0])


def _suffix_unless_damaged(part: Path, duration: float | None, is_picture: bool) -> str:
    """Remove a file that is not what it should be: nothing can be continued from it."""
    try:
        return suffix_of_whole(part, duration, is_picture)
    except ItemError as error:
        if error.reason is not Reason.TIME_LIMIT:  # which says nothing about the file
            part.unlink(missing_ok=True)
        raise


def _refuse_other_lengths(body: bytes, headers: Mapping[str, str]) -> None:
    """Refuse captions that end before the length that was stated, and endless ones."""
    if len(body) > _LARGEST_CAPTIONS:
        detail = f"more than {_LARGEST_CAPTIONS >> 20} MiB in place of captions"
        raise ItemError(Reason.UNREADABLE_CAPTIONS, detail)
    stated = headers.get("Content-Length") or ""
    packed = headers.get("Content-Encoding")  # then the length is that of what was packed
    if not packed and stated.isdecimal() and len(body) < int(stated):
        raise ItemError(Reason.TRUNCATED, f"{len(body)} bytes of {stated}")


@contextlib.contextmanager
def _no_such_track() -> Iterator[None]:
    """A track that is gone is not a video that is gone."""
    try:
        yield
    except HTTPError as error:
        if error.status in _NO_TRACK:
            raise ItemError(Reason.NO_CAPTIONS, str(error)) from error
        raise


@contextlib.contextmanager
def _no_such_file() -> Iterator[None]:
    """A file or a piece of it that is gone is not a video that is gone: its page was there."""
    try:
        yield
    except ItemError as error:
        if error.reason is not Reason.GONE:
            raise
        raise ItemError(Reason.NETWORK, error.detail) from error


@contextlib.contextmanager
def _theirs() -> Iterator[None]:
    """Let nothing out of yt-dlp but as an error of ours."""
    try:
        yield
    except HowtoError:
        raise
    # Broad, because yt-dlp reads what any of two thousand sites answers: whatever is raised there
    # costs one video, and is INTERNAL_ERROR where it is no refusal.
    except Exception as error:
        raise refusal_of(error) from error


@contextlib.contextmanager
def _no_programs() -> Iterator[None]:
    """Have yt-dlp not look for ffmpeg, where it does not ask its settings."""
    token = FFmpegPostProcessor._ffmpeg_location.set(_NO_PROGRAM)
    try:
        yield
    finally:
        FFmpegPostProcessor._ffmpeg_location.reset(token)
