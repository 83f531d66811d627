"""Everything howto raises on purpose, and the names of what can go wrong with one item.

HowtoError
├── UsageError            what was asked cannot mean anything; exit code 2
├── ItemError             one item is bad and costs that item only; carries a Reason
│   ├── MediaError        a video or sound file
│   ├── CaptionError      a caption file
│   └── RetryLater        a site said when to ask again
├── PickleError           a pickle from elsewhere is damaged, or holds more than plain data
├── AlignmentError        one line cannot be laid over its sound; costs that line only
├── LibraryError          the library on disk
│   ├── NoLibrary         the folder has none, and none may be made
│   ├── NewerLibrary      written by a newer howto
│   ├── LibraryBusy       another process holds it for longer than we may wait
│   └── RecipeMismatch    artefacts made in different ways would be mixed
└── PluginError           a backend that was named
    ├── UnknownPlugin     no distribution offers it
    ├── DuplicatePlugin   two distributions offer it
    └── BrokenPlugin      it is there and cannot be loaded

Catch by level: `except ItemError` keeps a run over many videos going, `except HowtoError` is what
the command line turns into one line of text. Anything else that escapes is a bug and keeps its
traceback.
"""

from enum import StrEnum
from typing import Any

__all__ = [
    "AlignmentError",
    "BrokenPlugin",
    "CaptionError",
    "DuplicatePlugin",
    "HowtoError",
    "ItemError",
    "LibraryBusy",
    "LibraryError",
    "MediaError",
    "NewerLibrary",
    "NoLibrary",
    "PickleError",
    "PluginError",
    "Reason",
    "RecipeMismatch",
    "RetryLater",
    "UnknownPlugin",
    "UsageError",
]


class Reason(StrEnum):
    """Why a stage skipped or failed one video: a name for scripts, a meaning for people."""

    EMPTY_FILE = "empty_file"
    UNREADABLE_FILE = "unreadable_file"
    NOT_MEDIA = "not_media"
    TRUNCATED = "truncated"
    NO_VIDEO_STREAM = "no_video_stream"
    NO_AUDIO_STREAM = "no_audio_stream"
    NO_FRAMES = "no_frames"
    TOO_SHORT = "too_short"
    FEWER_SECONDS_THAN_STEPS = "fewer_seconds_than_steps"
    DECODER_CRASHED = "decoder_crashed"
    TIME_LIMIT = "time_limit"
    NO_NARRATION = "no_narration"
    NOTHING_SAID = "nothing_said"
    UNREADABLE_CAPTIONS = "unreadable_captions"
    IMPOSSIBLE_TIMES = "impossible_times"
    TOO_FEW_WORDS = "too_few_words"
    TOKEN_NEEDED = "token_needed"  # noqa: S105 a name, no secret
    BLOCKED = "blocked"
    GONE = "gone"
    PRIVATE = "private"
    AGE_RESTRICTED = "age_restricted"
    REGION_BLOCKED = "region_blocked"
    MEMBERS_ONLY = "members_only"
    LIVE = "live"
    NO_CAPTIONS = "no_captions"
    TOO_LONG = "too_long"
    TOO_FEW_VIEWS = "too_few_views"
    LICENCE_UNFIT = "licence_unfit"
    OTHER_LANGUAGE = "other_language"
    EXCLUDED = "excluded"
    FORGOTTEN = "forgotten"
    RATE_LIMITED = "rate_limited"
    BOT_CHECK = "bot_check"
    NETWORK = "network"
    DISK_FULL = "disk_full"
    NO_MEDIA = "no_media"
    REFUSED_ADDRESS = "refused_address"
    NO_FEATURES = "no_features"
    INTERNAL_ERROR = "internal_error"

    @property
    def meaning(self) -> str:
        """One line in plain words."""
        return _MEANINGS[self]


_MEANINGS = {
    Reason.EMPTY_FILE: "the file has no bytes",
    Reason.UNREADABLE_FILE: "the file cannot be read (permission, or the disk)",
    Reason.NOT_MEDIA: "not a video or sound file",
    Reason.TRUNCATED: "the file was cut off before its index",
    Reason.NO_VIDEO_STREAM: "sound only: there is no picture in it",
    Reason.NO_AUDIO_STREAM: "there is no sound in it, or none that can be decoded",
    Reason.NO_FRAMES: "there is a video stream, but not one frame of it can be decoded",
    Reason.TOO_SHORT: "shorter than half the time between two frames wanted",
    Reason.FEWER_SECONDS_THAN_STEPS: "the video has fewer seconds than there are steps to find",
    Reason.DECODER_CRASHED: "the decoder, recogniser or aligner crashed on this file",
    Reason.TIME_LIMIT: "the decoder, recogniser or aligner did not finish within the time limit",
    Reason.NO_NARRATION: "no captions beside the file or inside it",
    Reason.NOTHING_SAID: "a speech recogniser listened and heard no speech",
    Reason.UNREADABLE_CAPTIONS: "there is a caption file, but no line of it can be read",
    Reason.IMPOSSIBLE_TIMES: "more words a second than anybody says: the times are broken",
    Reason.TOO_FEW_WORDS: "the narration has fewer words than were asked for",
    Reason.TOKEN_NEEDED: "the site answered with nothing, as it does where a token is missing",
    Reason.BLOCKED: "the site refused, or answered with a web page in place of captions",
    Reason.GONE: "the site says that the video is no longer there",
    Reason.PRIVATE: "the video is private",
    Reason.AGE_RESTRICTED: "the site shows it only to an account that is old enough",
    Reason.REGION_BLOCKED: "the site does not show it where this machine is",
    Reason.MEMBERS_ONLY: "only those who pay or subscribe may see it",
    Reason.LIVE: "a live broadcast, or one that has not begun",
    Reason.NO_CAPTIONS: "the site has no captions of it in the language wanted",
    Reason.TOO_LONG: "longer than was asked for",
    Reason.TOO_FEW_VIEWS: "seen less often than was asked for",
    Reason.LICENCE_UNFIT: "its licence is not the one that was asked for",
    Reason.OTHER_LANGUAGE: "another language than was asked for is spoken in it",
    Reason.EXCLUDED: "named in a list of videos to leave out",
    Reason.FORGOTTEN: "taken out with howto forget; it does not come back",
    Reason.RATE_LIMITED: "the site said that too much was asked of it",
    Reason.BOT_CHECK: "the site wants proof that a person is asking",
    Reason.NETWORK: "the network or the site failed while it was being fetched",
    Reason.DISK_FULL: "the disk is nearly full",
    Reason.NO_MEDIA: "the site offers no file of it that can be taken whole",
    Reason.REFUSED_ADDRESS: "its address is on this machine or in a private network",
    Reason.NO_FEATURES: "the features that the model sees it by are missing or damaged",
    Reason.INTERNAL_ERROR: "a bug in howto or in a plugin; please report what was found",
}


class HowtoError(Exception):
    """Base of all errors that howto raises on purpose."""


class UsageError(HowtoError):
    """The request itself is wrong: a missing folder, an empty query, options that clash."""


class ItemError(HowtoError):
    """One item cannot be used. The run goes on without it.

    Args:
        reason: the name under which the outcome is kept.
        detail: what was found and what was expected, without the item's name (the caller knows it).
    """

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(detail or reason.meaning)
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type["ItemError"], tuple[Any, ...]]:
        # Errors cross from worker processes by pickle, which by default calls __init__ with args
        # alone.
        return (type(self), (self.reason, self.detail))


class MediaError(ItemError):
    """A video or sound file cannot be read as what it should be."""


class CaptionError(ItemError):
    """No line of a caption file can be read."""


class RetryLater(ItemError):
    """A site refuses for now, and said when to ask again (`Retry-After`).

    Args:
        reason, detail: as for ItemError.
        seconds: how long to wait, from now; not negative.
    """

    def __init__(self, reason: Reason, detail: str = "", seconds: float = 0.0) -> None:
        super().__init__(reason, detail)
        self.seconds = seconds

    def __reduce__(self) -> tuple[type["ItemError"], tuple[Any, ...]]:
        return (type(self), (self.reason, self.detail, self.seconds))


class PickleError(HowtoError):
    """A pickle from elsewhere is damaged, or holds more than plain data and arrays."""


class AlignmentError(HowtoError):
    """The words of one line cannot be laid over its sound. The line goes without word times."""


class LibraryError(HowtoError):
    """The library on disk cannot be used as asked."""


class NoLibrary(LibraryError):
    """The folder has no library, and none may be made."""


class NewerLibrary(LibraryError):
    """The library was written by a newer howto than this one."""


class LibraryBusy(LibraryError):
    """Another process has held the library for longer than we were told to wait."""


class RecipeMismatch(LibraryError):
    """Two artefacts made by different recipes would be mixed."""


class PluginError(HowtoError):
    """A backend that was asked for by name cannot be had."""


class UnknownPlugin(PluginError):
    """No installed distribution offers a backend of this name."""


class DuplicatePlugin(PluginError):
    """Two installed distributions offer a backend of the same name."""


class BrokenPlugin(PluginError):
    """The backend is installed, and importing or constructing it fails."""
