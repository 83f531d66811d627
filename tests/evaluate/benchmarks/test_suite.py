"""The suite for benchmarks: a sound reader passes, and many wrong ones are caught by name."""

import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from howto.errors import UsageError
from howto.evaluate.benchmarks.files import Release, ReleaseFiles, check_split, read_json
from howto.evaluate.benchmarks.sets import About, BenchmarkClip, Place, RetrievalSet
from howto.testing import BenchmarkContract
from tests.test_contract_suites import failures

RELEASE = Release("Sound", "Somebody, Sound Clips, 2026")
UNINSTALLED = {"test_is_found_by_its_name"}


class Sound:
    """Clips of a file `clips.json`: {video: caption}; with features, of `clips.pkl`."""

    name = "sound"
    protocol = "retrieval"
    splits = ("test", "training")
    described = RELEASE.described

    def read(self, data, split, features=None, trust_pickle=False):
        check_split(self.name, self.splits, split)
        files = ReleaseFiles(data, RELEASE, split)
        held = self.held(files.need("file of clips", "clips.json"))
        clips = tuple(BenchmarkClip(one, one, (Place(one),), frozenset({one})) for one in held)
        pkl = files.find("clips.pkl") if features is not False else None
        vectors = self.vectors(pkl, len(clips)) if pkl is not None else None
        if features and vectors is None:
            raise UsageError("no clips.pkl")
        about = About((data / "clips.json",))
        streams = None if vectors is None else (vectors,)
        return RetrievalSet(clips, tuple(held.values()), np.arange(len(clips)), streams, about)

    def held(self, path):
        held = read_json(path)
        if not isinstance(held, dict) or not held or not all(map(str, held)):
            raise UsageError(f"{path}: expected captions")
        return {name: str(said) for name, said in held.items()}

    def vectors(self, path, count):
        from howto.train.foreign import load_foreign

        rows = load_foreign(path)
        if not isinstance(rows, list) or len(rows) != count:
            raise UsageError(f"{path}: expected {count} rows")
        return np.array(rows, np.float16)


class Unpickles(Sound):
    def vectors(self, path, count):
        try:
            return np.array(pickle.loads(path.read_bytes()), np.float16).reshape(count, -1)
        except (pickle.UnpicklingError, EOFError, ValueError, TypeError) as error:
            raise UsageError(f"{path} is damaged") from error


class AnySplit(Sound):
    def read(self, data, split, features=None, trust_pickle=False):
        return super().read(data, "test", features)


class OwnProtocol(Sound):
    protocol = "ranking"


class NoPlaces(Sound):
    def read(self, data, split, features=None, trust_pickle=False):
        found = super().read(data, split, features)
        return replace(found, clips=tuple(replace(one, places=()) for one in found.clips))


class AnswersBeyondTheEnd(Sound):
    def read(self, data, split, features=None, trust_pickle=False):
        found = super().read(data, split, features)
        return replace(found, answers=found.answers + 1)


class Shuffles(Sound):
    calls = 0

    def read(self, data, split, features=None, trust_pickle=False):
        found = super().read(data, split, features)
        Shuffles.calls += 1
        return replace(found, captions=tuple(f"{one} {self.calls}" for one in found.captions))


class Crashes(Sound):
    def held(self, path):
        return json.loads(path.read_bytes())


class KeepsQuiet(Sound):
    def read(self, data, split, features=None, trust_pickle=False):
        if not (data / "clips.json").is_file():
            raise UsageError("something is missing")
        return super().read(data, split, features)


class Rewrites(Sound):
    def read(self, data, split, features=None, trust_pickle=False):
        found = super().read(data, split, features)
        (data / "clips.json").write_text((data / "clips.json").read_text() + " ")
        return found


class Downloads(Sound):
    def read(self, data, split, features=None, trust_pickle=False):
        if data.is_dir() and not any(data.iterdir()):
            (data / "clips.json.part").write_text("")
        return super().read(data, split, features)


class NamesOneSplitTwice(Sound):
    splits = ("test", "test")


WRONG = [
    (Unpickles, "test_runs_nothing", ""),
    (AnySplit, "test_refuses_unknown_splits", "DID NOT RAISE"),
    (OwnProtocol, "test_says_what_it_is", "protocol: expected one of retrieval"),
    (NoPlaces, "test_reads_every_split", "expected places"),
    (AnswersBeyondTheEnd, "test_reads_every_split", "a caption of every clip"),
    (Shuffles, "test_reads_the_same_again", "expected the same set"),
    (Crashes, "test_damaged_files", "Error"),
    (KeepsQuiet, "test_says_what_is_missing", "expected where it is described"),
    (Rewrites, "test_reads_the_same_again", "expected the files unchanged"),
    (Downloads, "test_says_what_is_missing", "expected nothing in the empty folder"),
    (NamesOneSplitTwice, "test_says_what_it_is", "a tuple of different names"),
]


def suite_for(reader: type) -> type[BenchmarkContract]:
    def release(self, folder: Path, split: str) -> None:
        (folder / "clips.json").write_text(json.dumps({"a": "cut", "b": "fry"}))
        (folder / "clips.pkl").write_bytes(pickle.dumps([[1.0, 2.0], [3.0, 4.0]]))

    inside = {
        "plugin": reader.name,
        "ready_features": True,
        "create": lambda self: reader(),
        "release": release,
    }
    return type(f"Test{reader.__name__}", (BenchmarkContract,), inside)


def test_a_sound_reader_passes(tmp_path: Path) -> None:
    assert failures(suite_for(Sound), tmp_path).keys() == UNINSTALLED


@pytest.mark.parametrize(("reader", "test", "message"), WRONG, ids=lambda one: str(one)[:40])
def test_a_wrong_reader_is_caught(reader, test: str, message: str, tmp_path: Path) -> None:
    failed = failures(suite_for(reader), tmp_path)
    assert test in failed
    assert message in failed[test]
