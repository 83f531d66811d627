"""Which captions are taken. The cases are those of YouTube, as yt-dlp lists them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from howto.collect.fetched import CaptionTrack
from howto.collect.tracks import best_form, choose
from howto.records import Kind

MANUAL, AUTOMATIC, TRANSLATED = Kind.MANUAL, Kind.AUTOMATIC, Kind.TRANSLATED


def track(language: str, kind: Kind, key: str = "") -> CaptionTrack:
    return CaptionTrack(language, kind, "json3", key or language)


def chosen(tracks, language="en", spoken=None, **options):
    found = choose(tracks, language, spoken, **options)
    return None if found is None else (found.language, found.kind, found.key)


HUMAN_EN = track("en", MANUAL)
HUMAN_GB = track("en-GB", MANUAL)
HUMAN_DE = track("de", MANUAL)
HEARD_EN = [track("en", AUTOMATIC, "en-orig"), track("en", AUTOMATIC)]
HEARD_KO = [track("ko", AUTOMATIC, "ko-orig"), track("ko", AUTOMATIC)]
MADE_EN = track("en", TRANSLATED)
MADE_DE = track("de", TRANSLATED)


@pytest.mark.parametrize("spoken", ["en", "en-US", None])
def test_people_before_machines(spoken: str | None) -> None:
    tracks = [*HEARD_EN, MADE_DE, HUMAN_DE, HUMAN_EN]
    assert chosen(tracks, spoken=spoken) == ("en", MANUAL, "en")


@pytest.mark.parametrize("spoken", ["en", None])
def test_the_original_before_other_automatic_ones(spoken: str | None) -> None:
    assert chosen(HEARD_EN[::-1], spoken=spoken) == ("en", AUTOMATIC, "en-orig")


def test_an_automatic_one_that_is_not_marked() -> None:
    assert chosen([MADE_DE, track("en", AUTOMATIC)]) == ("en", AUTOMATIC, "en")


@pytest.mark.parametrize("spoken", ["ko", None])
def test_not_the_translation_of_korean_into_english(spoken: str | None) -> None:
    # captions.md, case 12: `en` is there, and is a machine's translation of what is heard.
    tracks = [MADE_EN, MADE_DE, *HEARD_KO]
    assert chosen(tracks, spoken=spoken) == ("ko", AUTOMATIC, "ko-orig")


def test_nor_people_s_translation_of_it() -> None:
    assert chosen([HUMAN_EN, *HEARD_KO]) == ("ko", AUTOMATIC, "ko-orig")


def test_translations_only_where_they_are_allowed() -> None:
    assert chosen([MADE_EN, MADE_DE], spoken="ko") is None
    assert chosen([MADE_EN, MADE_DE], spoken="ko", allow_translated=True)[1] is TRANSLATED
    both = [MADE_EN, HUMAN_EN]
    assert chosen(both, spoken="ko", allow_translated=True) == ("en", MANUAL, "en")


def test_allowed_translations_do_not_come_before_what_is_said() -> None:
    tracks = [MADE_EN, HUMAN_EN, *HEARD_KO]
    assert chosen(tracks, spoken="ko", allow_translated=True) == ("ko", AUTOMATIC, "ko-orig")


def test_the_nearest_region() -> None:
    american = track("en-US", MANUAL)
    assert chosen([HUMAN_GB, american, HUMAN_EN], spoken="en-US") == ("en-US", MANUAL, "en-US")
    assert chosen([HUMAN_GB, HUMAN_EN], spoken="en-US") == ("en", MANUAL, "en")
    assert chosen([HUMAN_GB], spoken="en-US") == ("en-GB", MANUAL, "en-GB")


def test_a_track_that_says_no_language_will_do() -> None:
    unknown = track("und", MANUAL)
    assert chosen([unknown]) == ("und", MANUAL, "und")
    assert chosen([unknown, HUMAN_GB]) == ("en-GB", MANUAL, "en-GB")


def test_nothing_wanted_takes_what_is_there() -> None:
    assert chosen([HUMAN_DE], language=None) == ("de", MANUAL, "de")
    assert chosen([]) is None


def test_forms_with_word_times_first() -> None:
    assert best_form(["vtt", "srv3", "json3"]) == "json3"
    assert best_form(["vtt", "srv3"]) == "srv3"
    assert best_form(["json", "lrc"]) is None


TRACKS = st.lists(
    st.builds(
        track,
        st.sampled_from("en en-GB de ko und".split()),
        st.sampled_from([MANUAL, AUTOMATIC, TRANSLATED]),
        st.sampled_from(["", "en-orig", "ko-orig"]),
    ),
    max_size=6,
)
LANGUAGES = st.sampled_from(["en", "de", "ko", None])


@given(TRACKS, LANGUAGES, LANGUAGES)
def test_never_a_translation_unless_allowed(tracks, language, spoken) -> None:
    found = choose(tracks, language, spoken)
    assert found is None or (found in tracks and found.kind is not TRANSLATED)
    if any(each.kind is AUTOMATIC for each in tracks):
        assert found is not None
