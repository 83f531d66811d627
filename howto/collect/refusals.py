"""What went wrong when a site was asked, under a name of our own.

yt-dlp says most of it in words, and a site that has had enough of us says much the same as for a
video that is gone. So the words for "too much" and "are you a person" are looked for first:
marking a living video as dead cannot be undone. Needs yt-dlp.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.error import URLError

from yt_dlp.networking.exceptions import HTTPError, IncompleteRead, RequestError
from yt_dlp.utils import (
    ContentTooShortError,
    DownloadError,
    ExtractorError,
    GeoRestrictedError,
    UnsupportedError,
    UserNotLive,
)

from howto.collect.faults import fault_of, is_full
from howto.collect.guard import RefusedRequest
from howto.errors import ItemError, Reason, RetryLater

__all__ = ["refusal_of", "retry_after"]

_LONGEST_DETAIL = 300  # characters
_LONGEST_WAIT = 7 * 86400.0  # seconds; who asks for more made a mistake, or mocks us

_SAID_FIRST = (
    (
        Reason.RATE_LIMITED,
        r"rate.?limit|try again later|too many requests|http error 429|quota exceeded",
    ),
    (Reason.REFUSED_ADDRESS, r"redirection to url"),
    (Reason.BOT_CHECK, r"not a (ro)?bot|captcha|unusual traffic|anti-bot"),
)
"""Looked for before anything else, in this order."""

_SAID = (
    (Reason.REFUSED_ADDRESS, r"unsupported url scheme"),
    (
        Reason.TRUNCATED,
        r"bytes read, \d+ more expected|downloaded \d+ bytes, expected|not get any data blocks",
    ),
    (Reason.NETWORK, r"giving up after \d+ retries|timed out"),
    (Reason.AGE_RESTRICTED, r"confirm your age|age.?restricted|inappropriate for some users"),
    (
        Reason.MEMBERS_ONLY,
        r"members.?only|join this channel|channel's members|requires payment|premium"
        r"|purchase|rental|\brent\b|\bpaid\b|subscribers?.only",
    ),
    (
        Reason.REGION_BLOCKED,
        r"in your (country|region|location)|geo.?(restrict|block)|from your location",
    ),
    (
        Reason.LIVE,
        r"live event (will|has)|premieres? (in|will)|premiere will|not currently live"
        r"|is upcoming|live stream (is )?offline|stream has not",
    ),
    (
        Reason.PRIVATE,
        r"\bprivate\b|sign in|\blog.?in\b|registered users|authentication|\bpassword\b",
    ),
    (Reason.NO_MEDIA, r"no video formats|requested format|\bdrm\b|unsupported url"),
    (
        Reason.GONE,
        r"unavailable|not available|isn.t available|no longer|removed|terminated|deleted"
        r"|does(n.t| not) exist|not found|account .*closed|incomplete youtube id",
    ),
)

_BY_STATUS = {
    401: Reason.PRIVATE,
    402: Reason.MEMBERS_ONLY,
    403: Reason.BLOCKED,
    404: Reason.GONE,
    408: Reason.NETWORK,
    410: Reason.GONE,
    416: Reason.TRUNCATED,  # it has less than it said
    425: Reason.NETWORK,
    429: Reason.RATE_LIMITED,
    451: Reason.REGION_BLOCKED,
}


def refusal_of(error: BaseException) -> ItemError:
    """Turn what yt-dlp raised into our own error; the reason is the first that fits.

    In this order: an address that was refused, a full disk or another fault of a file, a rate
    limit or a check for robots in words, the status of an HTTP answer, what yt-dlp's classes say,
    other words, the network.
    Where the server gave a time to come back (`Retry-After`), it is a RetryLater. What fits
    nothing is INTERNAL_ERROR: a fault of yt-dlp, or one too old for the site.
    """
    chain = list(_chain(error))
    for each in chain:
        if isinstance(each, ItemError):
            return each
        if isinstance(each, RefusedRequest):
            return each.refusal
    detail = _detail(error)
    for each in chain:
        if isinstance(each, OSError) and (is_full(each) or _is_of_a_file(each)):
            return fault_of(each)
    reason = _in_words(_SAID_FIRST, chain)
    answer = next((each for each in chain if isinstance(each, HTTPError)), None)
    if answer is not None:
        reason = reason or _of_status(answer.status)
        seconds = retry_after(answer.response.headers.get("Retry-After"))
        if seconds is not None:
            return RetryLater(reason, detail, seconds)
    reason = reason or _of_class(chain) or _in_words(_SAID, chain) or _of_the_network(chain)
    return ItemError(reason or _otherwise(chain), detail)


def retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """Seconds from now that a `Retry-After` header asks for; None where it says nothing sensible.

    Never more than a week.

    Args:
        value: a number of seconds, or a date as HTTP writes it.
        now: with a time zone; None for the clock's.
    """
    text = (value or "").strip()
    if re.fullmatch(r"[0-9]+", text):
        return min(float(text), _LONGEST_WAIT)
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # no date, or one of a year that no calendar has
        return None
    if until.tzinfo is None:  # "-0000" stands for UTC without saying whose clock it was
        until = until.replace(tzinfo=UTC)
    seconds = (until - (now or datetime.now(UTC))).total_seconds()
    return min(max(0.0, seconds), _LONGEST_WAIT)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, and all that caused it, by any of the ways in which yt-dlp keeps causes."""
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        each = waiting.pop(0)
        if not isinstance(each, BaseException) or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting.append(getattr(each, "cause", None))
        waiting.append((getattr(each, "exc_info", None) or (None, None))[1])
        waiting.append(getattr(each, "reason", None))  # urllib's URLError
        waiting.extend([each.__cause__, each.__context__])


def _is_of_a_file(error: OSError) -> bool:
    """A connection has no name; urllib's errors have an address in its place."""
    return error.filename is not None and not isinstance(error, URLError)


def _in_words(table: tuple[tuple[Reason, str], ...], chain: list[BaseException]) -> Reason | None:
    said = " ".join(_words_of(each) for each in chain)
    for reason, pattern in table:
        if re.search(pattern, said, re.IGNORECASE):
            return reason
    return None


def _words_of(error: BaseException) -> str:
    """What the site or yt-dlp said, without addresses and ids: these may hold any words."""
    if isinstance(error, DownloadError) and (error.exc_info or (None, None))[1] is not None:
        return ""  # the error it was made of follows in the chain
    said = error.orig_msg if isinstance(error, ExtractorError) else str(error)
    said = said.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    return re.sub(r"[a-zA-Z]+://\S+", "", said)


def _of_status(status: int) -> Reason:
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return Reason.BLOCKED if 400 <= status < 500 else Reason.NETWORK


def _of_class(chain: list[BaseException]) -> Reason | None:
    classes = (
        (GeoRestrictedError, Reason.REGION_BLOCKED),
        (UserNotLive, Reason.LIVE),
        (UnsupportedError, Reason.NO_MEDIA),
        ((ContentTooShortError, IncompleteRead), Reason.TRUNCATED),
    )
    for kinds, reason in classes:
        if any(isinstance(each, kinds) for each in chain):
            return reason
    return None


def _of_the_network(chain: list[BaseException]) -> Reason | None:
    is_network = any(isinstance(each, (RequestError, OSError)) for each in chain)
    return Reason.NETWORK if is_network else None


def _otherwise(chain: list[BaseException]) -> Reason:
    """An error that yt-dlp expects is the site's refusal; any other is a fault of yt-dlp's.

    In words that nobody here knows it may be about us, so it is no word on the video: BLOCKED.
    """
    expected = any(isinstance(each, ExtractorError) and each.expected for each in chain)
    return Reason.BLOCKED if expected else Reason.INTERNAL_ERROR


def _detail(error: BaseException) -> str:
    """What was said, in one line without yt-dlp's own advice."""
    said = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).removeprefix("ERROR:")
    said = re.split(r"; please report this issue on|\s+Use --cookies|\s+Confirm you are on", said)[
        0
    ]
    said = " ".join(said.split())
    return said if len(said) <= _LONGEST_DETAIL else said[: _LONGEST_DETAIL - 1] + "…"
