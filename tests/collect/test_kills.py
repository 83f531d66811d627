"""Killed a few times on the way, a run still ends with everything once; the long run of this is
tests/long/test_collect_faults.py."""

import random
from pathlib import Path

from howto.collect.sources.urls import UrlsSource
from tests.collect.kills import Killing, padded
from tests.collect.site import serving_videos

CAPTIONS = "WEBVTT\n\n" + "\n".join(
    f"00:{second:02}.000 --> 00:{second + 2:02}.000\nfold sleeve {second} in, please, now\n"
    for second in range(0, 58, 2)
)


def test_a_few_kills_lose_and_repeat_nothing(tmp_path: Path, small_video) -> None:
    media = padded(small_video(tmp_path / "film.mp4", seconds=60).read_bytes(), 1 << 20)
    folder = tmp_path / "library"
    folder.mkdir()
    with serving_videos(tmp_path, 8, media, CAPTIONS.encode()) as (addresses, site):
        killing = Killing(folder, addresses, site, random.Random(1))
        for kill in range(30):
            # On a busy machine the first ones may all come before a video is done.
            if kill >= 3 and any(0 < count < 8 for count in done(killing)):
                break
            killing.kill_once(most_requests=5)
        killed = done(killing)
        killing.finish()
        killing.check(media, 8)
        asked = len(site.asked)
        killing.finish()
        assert len(site.asked) == asked
    assert any(0 < count < 8 for count in killed), "the kills fell into the run"


def done(killing: Killing) -> list[int]:
    """How many videos were whole after each kill."""
    return [sum("/media/" in path for path in over) for _, over in killing.finished]


def test_a_part_that_was_whole_already_is_no_dead_end(tmp_path: Path, small_video) -> None:
    """Killed between the last byte and the new name: there is no rest to ask the site for."""
    media = small_video(tmp_path / "film.mp4", seconds=60).read_bytes()
    with serving_videos(tmp_path, 1, media, CAPTIONS.encode()) as (addresses, site):
        source = UrlsSource(urls=addresses, allow_private=True)
        (candidate,) = source.find(None, 1)
        described = source.describe(candidate)
        whole = source.media(described, 360, tmp_path).read_bytes()
        kept = tmp_path / f"{candidate.video_id}.f0.bin.part"
        for left in (whole, whole + b"longer than the file is now"):
            kept.write_bytes(left)
            assert source.media(described, 360, tmp_path).read_bytes() == whole
            assert not kept.exists()
        assert [one.range for one in site.asked].count(f"bytes={len(whole)}-") > 0
