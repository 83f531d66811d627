"""The allow-list: data comes through, and nothing that its maker put there runs."""

import os
import pickle
from collections import OrderedDict
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from howto.errors import UsageError
from howto.extract.safe_pickle import load_pickle


class Trap:
    """Makes a folder when it is unpickled freely."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("protocol", range(6))
def test_data_comes_through(tmp_path: Path, protocol: int) -> None:
    held = [
        {"2d": np.arange(6, dtype=np.float32).reshape(2, 3), "id": "a", "n": np.float64(2.5)},
        OrderedDict(ü=(1, 2.5, None, True, b"bytes", 3 + 4j)),
        {1, 2},
        frozenset({3}),
    ]
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(held, protocol))
    found = load_pickle(tmp_path / "a.pkl")
    np.testing.assert_array_equal(found[0].pop("2d"), held[0].pop("2d"))
    assert found == held


def test_python_2_wrote_arrays_too(tmp_path: Path) -> None:
    """What protocol 2 of Python 2 looks like: text of bytes, and numpy's old module names."""
    old = (
        b"\x80\x02}q\x00U\x022dq\x01cnumpy.core.multiarray\n_reconstruct\nq\x02cnumpy\nndarray\n"
        b"q\x03K\x00\x85U\x01b\x87Rq\x04(K\x01K\x02\x85cnumpy\ndtype\nq\x05U\x02f4K\x00K\x01\x87R"
        b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x08"
        b"\x00\x00\x80?\x00\x00\x00\xc0tbs."
    )
    (tmp_path / "a.pkl").write_bytes(old)
    assert load_pickle(tmp_path / "a.pkl")["2d"].tolist() == [1.0, -2.0]


def test_nothing_runs(tmp_path: Path) -> None:
    trap = tmp_path / "trapped"
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"2d": Trap(trap)}))
    with pytest.raises(UsageError, match=r"posix\.mkdir|nt\.mkdir"):
        load_pickle(tmp_path / "a.pkl")
    assert not trap.exists()
    load_pickle(tmp_path / "a.pkl", trust=True)
    assert trap.exists()  # so the trap is one


def test_other_classes_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(Fraction(1, 3)))
    with pytest.raises(UsageError, match=r"fractions\.Fraction.*--trust-pickle"):
        load_pickle(tmp_path / "a.pkl")


@pytest.mark.parametrize("data", [b"", b"\x80", b"no pickle", b"\x80\x04\x95", b"0" * 50])
def test_damage_is_named(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.pkl").write_bytes(data)
    with pytest.raises(UsageError, match="damaged pickle"):
        load_pickle(tmp_path / "a.pkl")
