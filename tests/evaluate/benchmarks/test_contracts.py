"""howto's own benchmarks pass the suite that a stranger's would run."""

from pathlib import Path

from howto.testing import BenchmarkContract
from tests.evaluate.benchmarks import releases


class TestYouCook2(BenchmarkContract):
    plugin = "youcook2"
    ready_features = True

    def release(self, folder: Path, split: str) -> None:
        releases.youcook2(folder, split)


class TestMsrvtt(BenchmarkContract):
    plugin = "msrvtt"
    ready_features = True

    def release(self, folder: Path, split: str) -> None:
        releases.msrvtt(folder, split)


class TestLsmdc(BenchmarkContract):
    plugin = "lsmdc"
    ready_features = True

    def release(self, folder: Path, split: str) -> None:
        releases.lsmdc(folder, split)


class TestCrossTask(BenchmarkContract):
    plugin = "crosstask"

    def release(self, folder: Path, split: str) -> None:
        releases.crosstask(folder, split)


class TestCoin(BenchmarkContract):
    plugin = "coin"

    def release(self, folder: Path, split: str) -> None:
        releases.coin(folder, split)


class TestMoments(BenchmarkContract):
    plugin = "moments"

    def release(self, folder: Path, split: str) -> None:
        releases.tacos(folder, split)


class TestTacos(TestMoments):
    plugin = "moments:tacos"


class TestQvhighlights(BenchmarkContract):
    plugin = "moments:qvhighlights"

    def release(self, folder: Path, split: str) -> None:
        releases.qvhighlights(folder, split)


class TestCharadesSta(BenchmarkContract):
    plugin = "moments:charades-sta"

    def release(self, folder: Path, split: str) -> None:
        releases.charades_sta(folder, split)


class TestDidemo(BenchmarkContract):
    plugin = "moments:didemo"

    def release(self, folder: Path, split: str) -> None:
        releases.didemo(folder, split)
