"""Killed a few times on the way, a run still ends with everything once; the long run of this is
tests/long/test_collect_faults.py."""

import random
from pathlib import Path

from tests.collect.kills import Killing, padded
from tests.collect.site import serving_videos

CAPTIONS = "WEBVTT\n\n" + "\n".join(
    f"00:{second:02}.000 --> 00:{second + 2:02}.000\nfold sleeve {second} in, please, now\n"
    for second in range(0, 58, 2)
)


def test_five_kills_lose_and_repeat_nothing(tmp_path: Path, small_video) -> None:
    media = padded(small_video(tmp_path / "film.mp4", seconds=60).read_bytes(), 1 << 20)
    folder = tmp_path / "library"
    folder.mkdir()
    with serving_videos(tmp_path, 6, media, CAPTIONS.encode()) as (addresses, site):
        killing = Killing(folder, addresses, site, random.Random(1))
        for _ in range(5):
            killing.kill_once(longest=0.4)
        killing.finish()
        killing.check(media, 6)
        asked = len(site.asked)
        killing.finish()
        assert len(site.asked) == asked
