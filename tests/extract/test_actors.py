"""`extract` on machines of a cluster whose storage is not what it is where the command runs.

The machines are this process: `run_ray` is replaced by one worker that does the jobs in turn, and
what a machine sees is changed around it. Ray itself is in tests/run and tests/long.
"""

import pickle
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from howto.errors import LibraryError, Reason
from howto.extract import actors
from howto.extract.choice import Choice, choose
from howto.extract.stage import extract_videos
from howto.extract.store import StoredFeatures, features_root, put_features_at
from howto.library import Library
from howto.run.engine import engine_of
from howto.run.local import Ended

from ..conftest import S3Site

RAY = engine_of("ray")


@dataclass
class Machine:
    """What happens on it.

    Attributes:
        at_start: before its worker is made.
        before, after: each job.
        limits: the seconds that jobs were given.
    """

    at_start: Callable[[], None] = lambda: None
    before: Callable[[], None] = lambda: None
    after: Callable[[], None] = lambda: None
    limits: list[float] = field(default_factory=list)

    def run(self, make: Any, jobs: Any, _engine: Any, *, workers: Any, time_limit: Any) -> Iterator:
        self.at_start()
        worker = pickle.loads(pickle.dumps(make))()
        try:
            for job in jobs:
                self.before()
                self.limits.append(time_limit(job))
                told = worker.work(job, self.limits[-1])
                self.after()
                yield Ended(job, *told)
        finally:
            worker._extractor.close()


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    found = Machine()
    monkeypatch.setattr(actors, "run_ray", found.run)
    return found


@pytest.fixture
def wanted() -> tuple[Any, ...]:
    return choose(Choice(("colour-motion",), "cpu"))


def test_features_count_that_are_seen_from_here(
    machine: Machine, library: Library, wanted: Any
) -> None:
    done = extract_videos(library, wanted, engine=RAY)
    assert (done.made, done.tally) == (3, {"ok": 3})
    assert len(list(features_root(library).glob("*/*/*.safetensors"))) == 3
    left = [path for path in features_root(library).iterdir() if path.is_file()]
    assert left == [], "nothing but sets stays there"
    assert machine.limits == [3600 + 120 + 60 * seconds for seconds in (4, 6, 8)]


@pytest.mark.parametrize("there", ["nothing", "an empty folder", "another library's"])
def test_a_machine_without_the_folder_makes_nothing(
    machine: Machine, library: Library, wanted: Any, there: str
) -> None:
    root = features_root(library)

    def not_mounted() -> None:
        names = [path.name for path in root.iterdir()]
        shutil.rmtree(root)
        if there != "nothing":
            root.mkdir()
        if there == "another library's":
            for name in names:
                (root / name).write_text("its own")

    machine.at_start = not_mounted
    with pytest.raises(LibraryError, match=r"is not the folder of that path.*Mount it there"):
        extract_videos(library, wanted, engine=RAY)
    assert not any(root.glob("*/*/*"))
    assert StoredFeatures(library, wanted[0].recipe).ends() == {}


def test_a_mount_that_is_lost_on_the_way_is_not_made_anew(
    machine: Machine, library: Library, wanted: Any
) -> None:
    root = features_root(library)
    aside = root.with_name("aside")
    machine.before = lambda: root.rename(aside) if any(root.glob("*/*/*")) else None
    with pytest.raises(LibraryError, match="is not the folder of that path"):
        extract_videos(library, wanted, engine=RAY)
    assert not root.exists()
    assert len(list(aside.glob("*/*/*.safetensors"))) == 1


def test_what_a_machine_has_for_itself_is_not_committed(
    machine: Machine, library: Library, wanted: Any
) -> None:
    """It lost the folder while it wrote: the file is on its own disk."""
    root = features_root(library)

    def gone() -> None:
        for path in root.glob("*/*/*.safetensors"):
            path.unlink()

    machine.after = gone
    done = extract_videos(library, wanted, engine=RAY)
    assert (done.made, done.tally) == (0, {Reason.UNREADABLE_FILE: 3})
    assert "still mounted on" in done.outcomes[0].detail
    machine.after = lambda: None
    assert extract_videos(library, wanted, engine=RAY).made == 3, "the next run does them again"


def test_the_folder_is_lost_here(machine: Machine, library: Library, wanted: Any) -> None:
    machine.after = lambda: shutil.rmtree(features_root(library))
    with pytest.raises(LibraryError, match="is not the folder of that path"):
        extract_videos(library, wanted, engine=RAY)


def test_a_machine_without_credentials_makes_nothing(
    machine: Machine, library: Library, wanted: Any, s3_site: S3Site, tmp_path: Path
) -> None:
    import s3fs

    put_features_at(library, "s3://films/mine")
    with pytest.MonkeyPatch.context() as patch:

        def no_credentials() -> None:
            s3_site.puts.clear()
            for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
                patch.delenv(name)
            patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
            for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
                patch.setenv(name, str(tmp_path / "none"))
            s3fs.S3FileSystem.clear_instance_cache()

        machine.at_start = no_credentials
        with pytest.raises(LibraryError, match=r"s3://films/mine.*credentials here may not see it"):
            extract_videos(library, wanted, engine=RAY)
    s3fs.S3FileSystem.clear_instance_cache()
    assert s3_site.puts == []
    machine.at_start = lambda: None
    assert extract_videos(library, wanted, engine=RAY).made == 3
