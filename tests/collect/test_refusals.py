"""What yt-dlp raises, as it raises it, under our names."""

import errno
import http.client
import io
from datetime import UTC, datetime
from urllib.error import HTTPError as UrllibHTTPError

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yt_dlp.networking.common import Response
from yt_dlp.networking.exceptions import (
    HTTPError,
    IncompleteRead,
    RequestError,
    TransportError,
)
from yt_dlp.utils import (
    ContentTooShortError,
    DownloadError,
    ExtractorError,
    GeoRestrictedError,
    UnsupportedError,
    UserNotLive,
)

from howto.collect.guard import RefusedRequest
from howto.collect.refusals import refusal_of, retry_after
from howto.errors import ItemError, Reason, RetryLater


def told(error: Exception) -> DownloadError:
    """As YoutubeDL.report_error raises it: the error in words, and the error."""
    try:
        raise error
    except Exception as caught:  # noqa: BLE001 - whatever it is
        return DownloadError(f"ERROR: {caught}", (type(caught), caught, caught.__traceback__))


def youtube(said: str) -> DownloadError:
    return told(ExtractorError(said, video_id="aqz-KE-bpKQ", ie="youtube", expected=True))


def status(code: int, **headers: str) -> HTTPError:
    return HTTPError(Response(io.BytesIO(b""), "https://example.org/v", headers, code))


LOGIN = (
    " Use --cookies-from-browser or --cookies for the authentication. See  "
    "https://github.com/yt-dlp/yt-dlp/wiki/FAQ#how-do-i-pass-cookies-to-yt-dlp  for how to"
)
# What the site says, as yt-dlp passes it on (extractor/youtube/_video.py, and known reports).
SAID = {
    "This content isn't available, try again later. The current session has been rate-limited by "
    "YouTube for up to an hour. It is recommended to use `-t sleep`": Reason.RATE_LIMITED,
    "Video unavailable. This content isn’t available, try again later": Reason.RATE_LIMITED,
    "An error occurred. Please try again later.": Reason.RATE_LIMITED,
    f"Sign in to confirm you’re not a bot.{LOGIN}": Reason.BOT_CHECK,
    f"Sign in to confirm you're not a bot. This helps protect our community.{LOGIN}": (
        Reason.BOT_CHECK
    ),
    "Video unavailable. YouTube is requiring a captcha challenge before playback": (
        Reason.BOT_CHECK
    ),
    f"Sign in to confirm your age. This video may be inappropriate for some users.{LOGIN}": (
        Reason.AGE_RESTRICTED
    ),
    f"Private video. Sign in if you've been granted access to this video.{LOGIN}": Reason.PRIVATE,
    "This video is private": Reason.PRIVATE,
    "Join this channel to get access to members-only content like this video, and other "
    "exclusive perks.": Reason.MEMBERS_ONLY,
    "This video is available to this channel's members on level: Gold (or any higher level).": (
        Reason.MEMBERS_ONLY
    ),
    "This video requires payment to watch": Reason.MEMBERS_ONLY,
    "The uploader has not made this video available in your country": Reason.REGION_BLOCKED,
    "Video unavailable. This video contains content from SME, who has blocked it in your country "
    "on copyright grounds": Reason.REGION_BLOCKED,
    "This live event will begin in 3 hours.": Reason.LIVE,
    "Premieres in 2 days": Reason.LIVE,
    "Video unavailable": Reason.GONE,
    "Video unavailable. This video is no longer available because the YouTube account associated "
    "with this video has been terminated.": Reason.GONE,
    "This video has been removed by the uploader": Reason.GONE,
    "This video has been removed for violating YouTube's Terms of Service": Reason.GONE,
    "Video unavailable. This video is not available": Reason.GONE,
    "No video formats found!": Reason.NO_MEDIA,
    "Requested format is not available. Use --list-formats for a list": Reason.NO_MEDIA,
    "This video is DRM protected": Reason.NO_MEDIA,
    "The page says something that nobody here has seen": Reason.BLOCKED,
    "The quota exceeded its bounds": Reason.RATE_LIMITED,
}


@pytest.mark.parametrize("said", SAID)
def test_what_the_site_says(said: str) -> None:
    error = refusal_of(youtube(said))
    assert error.reason is SAID[said]
    assert "--cookies" not in error.detail


@pytest.mark.parametrize(
    "said", [said for said, reason in SAID.items() if reason is Reason.RATE_LIMITED]
)
def test_enough_of_us_is_never_taken_for_a_dead_video(said: str) -> None:
    assert refusal_of(youtube(f"Video unavailable. {said} It has been removed.")).reason is (
        Reason.RATE_LIMITED
    )


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (401, Reason.PRIVATE),
        (403, Reason.BLOCKED),
        (404, Reason.GONE),
        (410, Reason.GONE),
        (416, Reason.TRUNCATED),
        (418, Reason.BLOCKED),
        (408, Reason.NETWORK),
        (425, Reason.NETWORK),
        (429, Reason.RATE_LIMITED),
        (451, Reason.REGION_BLOCKED),
        (500, Reason.NETWORK),
        (503, Reason.NETWORK),
        (304, Reason.NETWORK),
    ],
)
def test_the_status_of_an_answer(code: int, reason: Reason) -> None:
    raised = ExtractorError("Unable to download webpage", cause=status(code))
    for error in (status(code), raised, told(raised)):
        found = refusal_of(error)
        assert found.reason is reason
        assert not isinstance(found, RetryLater)


def test_when_to_come_back() -> None:
    error = refusal_of(told(ExtractorError("no", cause=status(429, **{"Retry-After": "120"}))))
    assert isinstance(error, RetryLater)
    assert (error.reason, error.seconds) == (Reason.RATE_LIMITED, 120.0)
    error = refusal_of(status(503, **{"retry-after": "7"}))
    assert isinstance(error, RetryLater)
    assert (error.reason, error.seconds) == (Reason.NETWORK, 7.0)


def test_words_of_an_address_mean_nothing() -> None:
    address = "https://example.org/private/are-you-not-a-bot-try-again-later.mp4"
    error = ExtractorError(
        "Unable to download webpage", video_id="try again later", ie="generic", cause=status(404)
    )
    assert refusal_of(told(error)).reason is Reason.GONE
    assert refusal_of(told(UnsupportedError(address))).reason is Reason.NO_MEDIA


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (GeoRestrictedError("only there", countries=["DE"]), Reason.REGION_BLOCKED),
        (UserNotLive(), Reason.LIVE),
        (UserNotLive("nothing runs here"), Reason.LIVE),
        (UnsupportedError("https://example.org/"), Reason.NO_MEDIA),
        (ContentTooShortError(10, 20), Reason.TRUNCATED),
        (IncompleteRead(10, 20), Reason.TRUNCATED),
        (DownloadError("[download] Got error: 5 bytes read, 9 more expected"), Reason.TRUNCATED),
        (DownloadError("Got error: timed out. Giving up after 3 retries"), Reason.NETWORK),
        (TransportError("connection reset"), Reason.NETWORK),
        (TransportError(cause=TimeoutError("timed out")), Reason.NETWORK),
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), Reason.NETWORK),
        (RequestError('Unsupported url scheme: "rtmp"'), Reason.REFUSED_ADDRESS),
        (OSError(errno.ENOSPC, "No space left on device"), Reason.DISK_FULL),
        (OSError(errno.EDQUOT, "Disk quota exceeded", "/x/y.part"), Reason.DISK_FULL),
        (PermissionError(errno.EACCES, "Permission denied", "/x/y.part"), Reason.UNREADABLE_FILE),
        (RefusedRequest(ItemError(Reason.REFUSED_ADDRESS, "no")), Reason.REFUSED_ADDRESS),
        (ExtractorError("Unable to extract title"), Reason.INTERNAL_ERROR),
        (TypeError("'NoneType' object is not subscriptable"), Reason.INTERNAL_ERROR),
    ],
)
def test_classes_of_errors(error: Exception, reason: Reason) -> None:
    assert refusal_of(error).reason is reason
    assert refusal_of(told(error)).reason is reason


def test_a_cause_far_down() -> None:
    error = ExtractorError("cannot write")
    error.__context__ = TypeError("while that was handled")
    error.__context__.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    assert refusal_of(told(error)).reason is Reason.DISK_FULL


def test_urllib_s_error_names_an_address_and_no_file() -> None:
    headers = http.client.HTTPMessage()
    with UrllibHTTPError("https://example.org/", 404, "Not Found", headers, io.BytesIO()) as cause:
        error = status(404)
        error.__cause__ = cause
        assert refusal_of(error).reason is Reason.GONE


def test_the_detail_is_one_short_line() -> None:
    error = refusal_of(youtube("Video\n unavailable\x1b[0m " + "x" * 1000))
    assert "\n" not in error.detail
    assert "\x1b" not in error.detail
    assert len(error.detail) <= 300


def test_causes_in_a_circle_end() -> None:
    first, second = RequestError("one"), RequestError("two")
    first.cause, second.cause = second, first
    assert refusal_of(first).reason is Reason.NETWORK


WEEK = 7 * 86400.0
NOW = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        (" 120 ", 120.0),
        ("Sat, 31 Jan 2026 12:02:00 GMT", 120.0),
        ("Sat, 31 Jan 2026 13:02:00 +0100", 120.0),
        ("Sat, 31 Jan 2026 12:02:00 -0000", 120.0),
        ("Sat, 31 Jan 2026 11:00:00 GMT", 0.0),
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("999999999", WEEK),
        ("9" * 30, WEEK),
        ("9" * 400, WEEK),
        ("Fri, 31 Dec 9999 23:59:59 GMT", WEEK),
        ("Fri, 31 Dec 9999 23:59:59 -1200", WEEK),
        ("Mon, 01 Jan 0001 00:00:00 +1200", 0.0),
        (f"Sat, 31 Jan {'9' * 12} 12:00:00 GMT", None),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, NOW) == seconds


@given(st.text())
def test_any_retry_after_is_read_or_not(value: str) -> None:
    seconds = retry_after(value, NOW)
    assert seconds is None or 0 <= seconds <= WEEK


@given(st.integers(0, 10**30), st.integers(-9999, 9999))
def test_any_year_and_zone_is_read_or_not(year: int, zone: int) -> None:
    seconds = retry_after(f"Sat, 31 Jan {year} 12:00:00 {zone:+05d}", NOW)
    assert seconds is None or 0 <= seconds <= WEEK


@given(st.text())
def test_whatever_is_said_has_a_reason(said: str) -> None:
    assert isinstance(refusal_of(youtube(said)).reason, Reason)
