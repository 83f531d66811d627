"""The suite for benchmarks: readers of published data sets."""

import hashlib
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from howto.errors import UsageError
from howto.evaluate.benchmarks.sets import MomentSet, RetrievalSet, StepSet
from howto.testing.contract import PluginContract, expect

__all__ = ["BenchmarkContract"]

_PROTOCOLS: dict[str, type] = {
    "retrieval": RetrievalSet,
    "steps": StepSet,
    "moments": MomentSet,
}
_GARBAGE = b"\x80\x00\xff no such file \x00 [{,\n\xfe\xfe"
_PICKLES = (".pkl", ".pickle", ".pth", ".pt")


class BenchmarkContract(PluginContract):
    """A benchmark reads files of a release, says what is missing, and runs nothing of them.

    Override `release`, which writes a small one.

    Attributes:
        ready_features: its release, as `release` writes it, has clips with ready features.
    """

    kind: ClassVar[str] = "benchmarks"
    ready_features: ClassVar[bool] = False

    def release(self, folder: Path, split: str) -> None:
        """Write the files of a small release into an empty folder."""
        raise NotImplementedError(f"{type(self).__name__}: write release(folder, split)")

    def test_says_what_it_is(self) -> None:
        """Protocol, splits and where the release is described."""
        one = self.create()
        expect(one.protocol in _PROTOCOLS, f"protocol: expected one of {', '.join(_PROTOCOLS)}")
        expect(
            one.splits
            and isinstance(one.splits, tuple)
            and len(set(one.splits)) == len(one.splits)
            and all(isinstance(name, str) and name for name in one.splits),
            f"splits: expected a tuple of different names, got {one.splits!r}",
        )
        expect(isinstance(one.described, str) and one.described, "described: expected text")

    def test_reads_every_split(self, tmp_path: Path) -> None:
        """A set of the protocol's kind, whose parts fit each other; with places in videos."""
        for split in self.create().splits:
            found = self._read(tmp_path, split, features=False)
            self._expect_whole(found, f"split {split!r}")
            expect(found.about.files, f"split {split!r}: expected the files that were read")
            self._expect_places(found, split)

    def test_reads_ready_features(self, tmp_path: Path) -> None:
        """Where the release has them: a finite float16 row of each stream for each clip."""
        one = self.create()
        if not self.ready_features:
            with pytest.raises(UsageError):
                self._read(tmp_path, one.splits[0], features=True)
            return
        for features in (True, None):
            found = self._read(tmp_path, one.splits[0], features=features)
            self._expect_whole(found, f"features={features}")
            expect(found.streams, f"features={features}: expected streams")
            for stream in found.streams:
                expect(stream.shape[0] == len(found.clips), "a stream: expected a row a clip")
                expect(bool(np.isfinite(stream).all()), "a stream: expected finite values")

    def test_reads_the_same_again(self, tmp_path: Path) -> None:
        """The same files give the same set, and are left as they were."""
        split = self.create().splits[0]
        folder = self._written(tmp_path, split)
        before = _hashes(folder)
        first, second = (self.create().read(folder, split, False) for _ in range(2))
        expect(_told(first) == _told(second), "expected the same set from the same files")
        expect(_hashes(folder) == before, "expected the files unchanged")

    def test_refuses_unknown_splits(self, tmp_path: Path) -> None:
        """The error names the splits that there are."""
        one = self.create()
        message = self._refused(self._written(tmp_path, one.splits[0]), "no-such-split")
        for name in one.splits:
            expect(name in message, f"expected the split {name!r} in: {message}")

    def test_says_what_is_missing(self, tmp_path: Path) -> None:
        """An empty folder, or none: where the release is described, and nothing is fetched."""
        one = self.create()
        (tmp_path / "empty").mkdir()
        for folder in (tmp_path / "empty", tmp_path / "none"):
            message = self._refused(folder, one.splits[0])
            expect(one.described in message, f"expected where it is described in: {message}")
        expect(not any((tmp_path / "empty").iterdir()), "expected nothing in the empty folder")

    @pytest.mark.parametrize("damage", ["garbage", "half", "empty"])
    def test_damaged_files(self, tmp_path: Path, damage: str) -> None:
        """Each file in turn is damaged: a set all the same, or a UsageError, and nothing else."""
        split = self.create().splits[0]
        for features in (False, None):
            folder = self._written(tmp_path / f"{damage} {features}", split)
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    whole = path.read_bytes()
                    half = whole[: len(whole) // 2]
                    path.write_bytes({"garbage": _GARBAGE, "half": half, "empty": b""}[damage])
                    self._read_or_refused(folder, split, features, f"{path.name} ({damage})")
                    path.write_bytes(whole)

    def test_runs_nothing(self, tmp_path: Path) -> None:
        """A pickle that would run code is refused, and runs none."""
        split = self.create().splits[0]
        folder, mark = self._written(tmp_path, split), tmp_path / "was-run"
        pickles = [path for path in sorted(folder.rglob("*")) if path.suffix in _PICKLES]
        if not pickles:
            pytest.skip("nothing in the release is a pickle")
        for path in pickles:
            whole = path.read_bytes()
            path.write_bytes(pickle.dumps(_Trap(str(mark))))
            with pytest.raises(UsageError):
                self.create().read(folder, split, True)
            path.write_bytes(whole)
        expect(not mark.exists(), "expected that nothing in a pickle is run")

    # How the tests read

    def _written(self, folder: Path, split: str) -> Path:
        inside = folder / f"release {split}"
        inside.mkdir(parents=True)
        self.release(inside, split)
        return inside

    def _read(self, folder: Path, split: str, *, features: bool | None) -> Any:
        return self.create().read(self._written(folder / f"{features}", split), split, features)

    def _refused(self, folder: Path, split: str) -> str:
        with pytest.raises(UsageError) as refused:
            self.create().read(folder, split)
        return str(refused.value)

    def _read_or_refused(self, folder: Path, split: str, features: bool | None, what: str) -> None:
        try:
            found = self.create().read(folder, split, features)
        except UsageError as error:
            expect(str(error), f"{what}: expected an error that says something")
        else:
            self._expect_whole(found, what)

    # What a set must be

    def _expect_whole(self, found: Any, what: str) -> None:
        protocol = self.create().protocol
        expect(
            isinstance(found, _PROTOCOLS[protocol]),
            f"{what}: expected a {_PROTOCOLS[protocol].__name__}, got {type(found).__name__}",
        )
        _EXPECTED[protocol](found, what)

    def _expect_places(self, found: Any, split: str) -> None:
        items = {
            "retrieval": lambda: found.clips,
            "steps": lambda: found.videos,
            "moments": lambda: found.queries,
        }[self.create().protocol]()
        for item in items:
            expect(item.places, f"split {split!r}, {item.video}: expected places")
            expect(item.known_as, f"split {split!r}, {item.video}: expected names")
            for place in item.places:
                expect(
                    0 <= place.start < place.end,
                    f"split {split!r}, {item.video}: {place.start} to {place.end} s",
                )


def _expect_retrieval(found: RetrievalSet, what: str) -> None:
    expect(found.clips, f"{what}: expected clips")
    expect(
        found.answers.shape == (len(found.captions),) and found.answers.dtype == np.int64,
        f"{what}: expected the clip of each caption as int64",
    )
    there = set(found.answers.tolist())
    expect(there == set(range(len(found.clips))), f"{what}: expected a caption of every clip")
    expect(all(isinstance(one, str) for one in found.captions), f"{what}: expected text")


def _expect_steps(found: StepSet, what: str) -> None:
    tasks = {task.task_id: task for task in found.tasks}
    expect(found.videos and len(tasks) == len(found.tasks), f"{what}: expected videos, and tasks")
    for video in found.videos:
        expect(video.task_id in tasks, f"{what}, {video.video}: a task that is not there")
        for one in video.spans:
            expect(
                1 <= one.step <= len(tasks[video.task_id].steps) and one.start <= one.end,
                f"{what}, {video.video}: step {one.step}, {one.start} to {one.end} s",
            )


def _expect_moments(found: MomentSet, what: str) -> None:
    expect(found.queries, f"{what}: expected queries")
    for query in found.queries:
        expect(
            query.spans and all(0 <= start < end for start, end in query.spans),
            f"{what}, {query.query!r}: expected spans that end after they start",
        )


_EXPECTED: dict[str, Callable[[Any, str], None]] = {
    "retrieval": _expect_retrieval,
    "steps": _expect_steps,
    "moments": _expect_moments,
}


class _Trap:
    """Pickled, it makes a file when it is loaded."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path(self.path),)


def _hashes(folder: Path) -> dict[str, str]:
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _told(found: Any) -> str:
    """All that a set of places holds, as text."""
    return repr(found)
