from pathlib import Path

import pytest

from howto.demo import DemoSpec, DemoVideo, write_demo

SMALL = DemoSpec(
    tasks=("fold-a-shirt", "make-pancakes", "wrap-a-gift"),
    videos_per_task=2,
    size=(160, 120),
    frame_rate=8,
    seconds_per_step=4,
    uncaptioned=("wrap-a-gift-02",),
    speech=False,
)


@pytest.fixture(scope="session")
def small_set(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[DemoVideo]]:
    folder = tmp_path_factory.mktemp("demo")
    return folder, write_demo(folder, SMALL)


@pytest.fixture(scope="session")
def small_spec() -> DemoSpec:
    return SMALL
