"""Collecting under fifty kills, for minutes: `make test-long`."""

import random
from pathlib import Path

import pytest

from tests.collect.kills import Killing, padded
from tests.collect.site import serving_videos

pytestmark = pytest.mark.long

VIDEOS = 40
KILLS = 50
MOST_REQUESTS = 3
"""Between two kills; a video takes three, so that most kills fall into a run of forty videos."""

CAPTIONS = "WEBVTT\n\n" + "\n".join(
    f"00:{second:02}.000 --> 00:{second + 2:02}.000\nfold sleeve {second} in, please, now\n"
    for second in range(0, 58, 2)
)


@pytest.mark.parametrize("seed", [0, 1])
def test_fifty_kills_at_any_instant_lose_and_repeat_nothing(
    tmp_path: Path, small_video, seed: int
) -> None:
    media = padded(small_video(tmp_path / "film.mp4", seconds=60).read_bytes(), 4 << 20)
    folder = tmp_path / "library"
    folder.mkdir()
    with serving_videos(tmp_path, VIDEOS, media, CAPTIONS.encode()) as (addresses, site):
        killing = Killing(folder, addresses, site, random.Random(seed))
        for _ in range(KILLS):
            killing.kill_once(MOST_REQUESTS)
        killing.finish()
        killing.check(media, VIDEOS)
    # The kills fell into the run: before it was done, and after it had begun.
    whole = [sum("/media/" in path for path in over) for _, over in killing.finished[:-1]]
    assert whole == sorted(whole)
    assert sum(0 < count < VIDEOS for count in whole) >= KILLS // 2
