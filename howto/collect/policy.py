"""What collect does about each reason: leave the video for good, come back to it, or stop.

A dead video and a site that has had enough of us are told apart by the reason; what follows from it
is decided here and nowhere else.
"""

import random
from dataclasses import dataclass
from enum import StrEnum

from howto.errors import Reason

__all__ = [
    "MOST_FORGIVEN",
    "NOTHING_FOUND",
    "POLICIES",
    "SITES_IN_A_ROW",
    "Policy",
    "Then",
    "park_seconds",
    "policy_of",
    "retry_seconds",
]

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


class Then(StrEnum):
    """What follows."""

    NEVER = "never again"
    LATER = "later"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Policy:
    """What is done about one reason.

    Attributes:
        seconds: LATER: until the second attempt, doubled for each one after it. STOP: how long the
            source is parked, doubled each time that it has to be parked again at once; 0: until
            there is a change here, as with a full disk.
        attempts: how many there are before the video is given up. STOP: before it is taken that it
            is this video alone that the site refuses so; 0: never.
        in_a_row: LATER: so many videos after one another mean that it is not the videos: the source
            is parked, and these attempts do not count, `MOST_FORGIVEN` times for each video. 0:
            never.
    """

    then: Then
    seconds: float = 0.0
    attempts: int = 1
    in_a_row: int = 0


_NEVER = Policy(Then.NEVER)

POLICIES = {
    Reason.GONE: _NEVER,
    Reason.PRIVATE: _NEVER,
    Reason.AGE_RESTRICTED: _NEVER,
    Reason.REGION_BLOCKED: _NEVER,
    Reason.MEMBERS_ONLY: _NEVER,
    Reason.NO_CAPTIONS: _NEVER,
    Reason.TOO_SHORT: _NEVER,
    Reason.TOO_LONG: _NEVER,
    Reason.TOO_FEW_VIEWS: _NEVER,
    Reason.TOO_FEW_WORDS: _NEVER,
    Reason.LICENCE_UNFIT: _NEVER,
    Reason.OTHER_LANGUAGE: _NEVER,
    Reason.EXCLUDED: _NEVER,
    Reason.FORGOTTEN: _NEVER,
    Reason.REFUSED_ADDRESS: _NEVER,
    Reason.NOT_MEDIA: _NEVER,
    Reason.NO_VIDEO_STREAM: _NEVER,
    Reason.NO_FRAMES: _NEVER,
    Reason.DECODER_CRASHED: _NEVER,
    Reason.EMPTY_FILE: _NEVER,
    Reason.NO_NARRATION: _NEVER,
    Reason.UNREADABLE_CAPTIONS: _NEVER,
    Reason.IMPOSSIBLE_TIMES: _NEVER,
    # What the site offers may depend on this machine and on yt-dlp as much as on the video.
    Reason.NO_MEDIA: Policy(Then.LATER, DAY, attempts=3, in_a_row=5),
    Reason.LIVE: Policy(Then.LATER, DAY, attempts=5),
    Reason.NETWORK: Policy(Then.LATER, MINUTE, attempts=8, in_a_row=5),
    Reason.TRUNCATED: Policy(Then.LATER, MINUTE, attempts=4, in_a_row=5),
    Reason.TIME_LIMIT: Policy(Then.LATER, 10 * MINUTE, attempts=3, in_a_row=5),
    Reason.BLOCKED: Policy(Then.LATER, HOUR, attempts=3, in_a_row=3),
    Reason.TOKEN_NEEDED: Policy(Then.LATER, 6 * HOUR, attempts=3, in_a_row=3),
    # A bug will be there in an hour too; `--retry` tries again after an update. But what a site
    # changes hits all videos, and none of them shall be given up for it.
    Reason.INTERNAL_ERROR: Policy(Then.LATER, attempts=1, in_a_row=5),
    Reason.UNREADABLE_FILE: Policy(Then.LATER, 10 * MINUTE, attempts=2, in_a_row=5),
    Reason.RATE_LIMITED: Policy(Then.STOP, HOUR, attempts=10),
    Reason.BOT_CHECK: Policy(Then.STOP, 6 * HOUR, attempts=10),
    Reason.DISK_FULL: Policy(Then.STOP, attempts=0),
}
"""Every reason that a source or the collecting of one video may end with."""

NOTHING_FOUND = Policy(Then.LATER, MINUTE, attempts=3, in_a_row=5)
"""Of a search without a hit: that may be so, or nobody here understands the site's answers now."""

MOST_FORGIVEN = 3
"""How often failures in a row do not count for one video: with the parking in between, a site or a
net that is down for a weekend costs no video; and where they are the videos' own fault after all,
there is an end."""

SITES_IN_A_ROW = 5
"""So many sites after one another that cannot be reached mean that it is the net here."""

_STREAK_PARK = 10 * MINUTE
_LONGEST_PARK = DAY
_JITTER = 0.25


def policy_of(reason: Reason) -> Policy:
    """The policy of a reason; one that no source should give is a failure of this video alone."""
    return POLICIES.get(reason, Policy(Then.LATER, attempts=1))


def retry_seconds(
    policy: Policy, attempt: int, asked: float | None, chance: random.Random
) -> float:
    """How long to leave a video alone.

    Args:
        attempt: the one that just failed, from 1.
        asked: what the server said; never less than this is waited.
        chance: so that many do not come back at one instant: up to a quarter more is added.
    """
    seconds = policy.seconds * 2.0 ** (attempt - 1) * (1 + _JITTER * chance.random())
    return max(seconds, asked or 0.0)


def park_seconds(policy: Policy, times: int, asked: float | None, chance: random.Random) -> float:
    """How long to park a source.

    Args:
        times: how often it was parked since it last gave something, this time included.
        asked: what the server said; never less than this is waited.
    """
    first = policy.seconds if policy.then is Then.STOP else _STREAK_PARK
    seconds = min(_LONGEST_PARK, first * 2.0 ** min(times - 1, 16))
    return max(seconds * (1 + _JITTER * chance.random()), asked or 0.0)
