"""Pickles from elsewhere: plain data comes back, nothing is run, and no bytes end the process."""

import io
import os
import pickle
import random
import subprocess
import sys
from collections import OrderedDict, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from howto.errors import PickleError
from howto.safe_pickle import load

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)

keys = st.one_of(st.text(), st.integers(), st.floats(allow_nan=False), st.binary(), st.none())
values = st.recursive(
    st.one_of(keys, st.booleans(), st.complex_numbers(allow_nan=False)),
    lambda inner: st.one_of(
        *(st.lists(inner), st.lists(inner).map(tuple), st.dictionaries(keys, inner)),
        *(st.sets(keys), st.frozensets(keys)),
    ),
)


@given(value=values, protocol=st.sampled_from(PROTOCOLS))
def test_plain_data_comes_back(value: object, protocol: int) -> None:
    found = load(pickle.dumps(value, protocol))
    assert found == value
    # 1, 1.0 and True are equal, and are not the same.
    assert repr(found) == repr(value) or "{" in repr(value)


def test_shared_parts_are_shared() -> None:
    text = "fold it"
    one = [text, text]
    for protocol in PROTOCOLS:
        found: Any = load(pickle.dumps([one, one], protocol))
        assert found == [one, one]
        assert found[0] is found[1]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("module", ["numpy.core", "numpy._core"])
def test_arrays_of_both_numpys(protocol: int, module: str) -> None:
    arrays = [
        *(np.arange(6, dtype=kind).reshape(2, 3) for kind in ("i1", "u2", ">i4", "<i8", "f2")),
        *(np.linspace(0, 1, 5).astype(kind) for kind in ("f4", ">f8", "c8", "c16", "b1")),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.zeros((0, 3)),
        np.array(2.5),
    ]
    found: Any = load(renamed(pickle.dumps(arrays, protocol), module))
    for one, array in zip(found, arrays, strict=True):
        assert one.dtype == array.dtype
        assert one.flags.writeable
        np.testing.assert_array_equal(one, array, strict=True)


def renamed(data: bytes, module: str) -> bytes:
    """The same pickle as a numpy with its core elsewhere writes it."""
    old = b"numpy.core" if b"numpy.core" in data else b"numpy._core"
    new = module.encode()
    if b"\x94" not in data:
        return data.replace(b"c" + old, b"c" + new)
    # Text is written with its length.
    for name in (b"multiarray", b"numeric"):
        before, after = old + b"." + name, new + b"." + name
        data = data.replace(bytes([len(before)]) + before, bytes([len(after)]) + after)
    return data


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_arrays_of_text_and_objects_become_lists(protocol: int) -> None:
    held = {
        "objects": np.array(["pick bowl", "a, b", None], dtype=object),
        "rows": np.array([["a", "b"], ["c", "d"], ["e", "f"]], dtype=object),
        "text": np.array(["été", "音楽", ""]),
        "big": np.array(["été"], dtype=">U5"),
        "bytes": np.array([b"fold", "é".encode()]),
        "nothing": np.array([], dtype=object),
        "one": np.array("fold"),
    }
    assert load(pickle.dumps(held, protocol)) == {
        "objects": ["pick bowl", "a, b", None],
        "rows": [["a", "b"], ["c", "d"], ["e", "f"]],
        "text": ["été", "音楽", ""],
        "big": ["été"],
        "bytes": ["fold", "é"],
        "nothing": [],
        "one": "fold",
    }


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_numbers_and_containers_of_libraries_become_plain(protocol: int) -> None:
    counted: defaultdict[str, list[int]] = defaultdict(list, {"v": [1]})
    held = [
        *(np.float64(0.1), np.float32(0.5), np.int64(-3), np.uint8(7), np.bool_(True)),
        *(np.str_("été"), OrderedDict(b=1, a=2), counted, bytearray(b"ab"), b""),
        {np.int64(4): "four"},
    ]
    found: Any = load(pickle.dumps(held, protocol))
    assert found == [
        0.1,
        0.5,
        -3,
        7,
        True,
        "été",
        {"b": 1, "a": 2},
        {"v": [1]},
        b"ab",
        b"",
        {4: "four"},
    ]
    kinds = [float, float, int, int, bool, str, dict, dict, bytes, bytes, dict]
    assert [type(one) for one in found] == kinds
    assert list(found[6]) == ["b", "a"]


def test_a_feature_set(tmp_path: Path) -> None:
    rows = [
        {"2d": np.ones((3, 2048), "f2"), "3d": np.ones(2048, "f4"), "caption": "fold", "id": "v_1"}
    ]
    (tmp_path / "set.pkl").write_bytes(pickle.dumps(rows))
    found: Any = load(tmp_path / "set.pkl")
    assert found[0]["2d"].shape == (3, 2048)
    assert (found[0]["caption"], found[0]["id"]) == ("fold", "v_1")


def test_pickles_of_python_2() -> None:
    """As its protocols 0 and 2 write them: text is bytes, in UTF-8 or not."""
    assert load(b"(dp0\nS'text'\np1\n(lp2\nS'it\\'s \\xc3\\xa9\\n'\np3\naS\"a'b\"\nas.") == {
        "text": ["it's é\n", "a'b"]
    }
    assert load(b"\x80\x02}q\x00U\x04textq\x01U\x03\xc3\xa9!s.") == {"text": "é!"}
    array = (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x00cnumpy\nndarray\nq\x01K\x00\x85q\x02"
        b"U\x01bq\x03\x87q\x04Rq\x05(K\x01K\x01\x85q\x06cnumpy\ndtype\nq\x07U\x02f8q\x08K\x00K\x01"
        b"\x87q\tRq\n(K\x03U\x01<q\x0bNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq\x0cb\x89"
        b"U\x08\x9a\x99\x99\x99\x99\x99\xb9?q\rtq\x0eb."
    )
    np.testing.assert_array_equal(load(array), np.array([0.1]))  # type: ignore[call-overload]


class Calls:
    """Pickles as a call."""

    def __init__(self, *parts: Any) -> None:
        self.parts = parts

    def __reduce__(self) -> tuple[Any, ...]:
        return self.parts


def forged(*, flag: int) -> object:
    """An array whose type has the flags of another: numpy would take its bytes for pointers."""
    kind = Calls(np.dtype, ("O", False, True), (3, "|", None, None, None, -1, -1, flag))
    state = (1, (1,), kind, False, b"\x41" * 6 + b"\0\0")
    return Calls(np._core.multiarray._reconstruct, (np.ndarray, (0,), b"b"), state)  # type: ignore[attr-defined]


def nested_tuple(depth: int) -> bytes:
    return b"\x80\x02}N" + b"\x85" * depth + b"Ns."


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_nothing_is_run(tmp_path: Path, protocol: int) -> None:
    ran = tmp_path / "ran"
    for content in (
        Calls(os.system, (f"touch {ran}",)),
        {"v": Calls(os.system, (f"touch {ran}",))},
        Calls(eval, ("1",)),
        Calls(getattr, ([], "append")),
        Calls(np.load, ("x.npy",)),
        np.ma.array([1.0]),
        np.array([1, 2], dtype="m8[s]"),
        np.array([(1, 2.0)], dtype="i4,f8"),
        np.longdouble(1),
        Path("a"),
        forged(flag=0),
        forged(flag=63),
        Ellipsis,
        range(3),
    ):
        with pytest.raises(PickleError):
            load(pickle.dumps(content, protocol))
    assert not ran.exists()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "byte 0"),
        (b"\x80\x04rubbish", "opcode|damaged"),
        (b"N", "byte 1"),
        (b".", "cut off"),
        (b"\x80\x04h\x05.", "cut off"),
        (b"I1\nI2\n\x86h\x00.", "cut off"),
        (b"Iabc\n.", "invalid literal"),
        (b"I" + b"9" * 5000 + b"\n.", "limit"),
        (b"X\xff\xff\xff\xffab.", "cut off"),
        (b"T\xff\xff\xff\xffab.", "cut off"),
        (b"X\x02\0\0\0\xff\xff.", "decode"),
        (b"S'\\q'\n.", "quotes"),
        (b"NNa.", "expected a list"),
        (b"(NNe.", "expected a list|cut off"),
        (b"}(NNNu.", "zip"),
        (b"}]Ns.", "as a key"),
        (b"\x8f(]\x90.", "as a key"),
        (b"cos\nsystem\n.", r"os\.system: expected containers"),
        (b"cnumpy\nndarray\n.", "numpy.ndarray as a value"),
        (b"cnumpy\ndtype\n(S'f8'\ntR.", "_Type as a value"),
        (b"cnumpy\nndarray\n)R.", "a call of numpy.ndarray"),
        (b"N)R.", "a call of NoneType"),
        (b"c__builtin__\nlist\nNR.", "a call of list"),
        (b"c__builtin__\nlist\n(I5\ntR.", "one list"),
        (b"c__builtin__\nbytearray\n(I99999999999\ntR.", "bytes"),
        (b"c__builtin__\ncomplex\n(S'1'\nS'2'\ntR.", "two numbers"),
        (b"c_codecs\nencode\n(Vx\nVrot13\ntR.", "rot13"),
        (b"c_codecs\nencode\n)R.", "encode: "),
        (b"](K\x01tb.", "a state for list"),
        (b"cnumpy\nndarray\nNb.", "a state of NoneType"),
        (nested_tuple(300_000), "as a key"),
        (b"Nr\xff\xff\xff\xff", "byte 6"),  # a memo of 4 billion places in other readers
    ],
)
def test_damage_is_one_error(data: bytes, message: str) -> None:
    with pytest.raises(PickleError, match=message):
        load(data)


@pytest.mark.parametrize(
    ("shape", "kind", "raw"),
    [
        ((3,), "f8", bytes(16)),
        ((1 << 40,), "f8", bytes(8)),
        ((-1,), "f8", bytes(8)),
        ((True,), "f8", bytes(8)),
        ((0, 1 << 70), "f8", b""),
        ((1,) * 33, "f8", bytes(8)),
        ((1,), "f8", [1.0]),
        ((1,), "f8", bytes(7)),
        ((1,), "O", bytes(8)),
        ((2,), "O", [1]),
        ((1,), "V8", bytes(8)),
        ((1,), "U0", b""),
        ((1,), "U1", b"\xff" * 4),
        ((1,), "U999999999", b"abc"),
    ],
)
def test_arrays_that_are_not_there(shape: tuple[int, ...], kind: str, raw: object) -> None:
    made = Calls(np.dtype, (kind, False, True), (3, "<", None, None, None, -1, -1, 0))
    state = (1, shape, made, False, raw)
    array = Calls(np._core.multiarray._reconstruct, (np.ndarray, (0,), b"b"), state)  # type: ignore[attr-defined]
    with pytest.raises(PickleError):
        load(pickle.dumps(array))


def test_an_array_within_itself_is_refused() -> None:
    data = (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01btRq\x00"
        b"(K\x01K\x01\x85cnumpy\ndtype\n(U\x01OK\x00K\x01tR\x89]h\x00atb."
    )
    with pytest.raises(PickleError, match="_Unbuilt as a value"):
        load(data)
    assert load(b"\x80\x02]q\x00h\x00a.")[0]  # type: ignore[index]  # a list may


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none.pkl")


def samples() -> list[bytes]:
    rows = {
        "a": {
            "start": np.array([0.41, 3.92]),
            "end": [np.float32(5), 6],
            "text": np.array(["x", "yy"]),
        },
        "b": {"start": (1, 2.5), "end": {3, 4}, "text": np.array(["é", None], dtype=object)},
    }
    return [pickle.dumps(rows, protocol) for protocol in PROTOCOLS]


def flip_bytes(seed: int, rounds: int) -> None:
    """Damage good pickles in every way and read them; what comes back is used. Runs in a child."""
    chance = random.Random(seed)
    for _ in range(rounds):
        data = bytearray(chance.choice(SAMPLES))
        for _damage in range(chance.randint(1, 4)):
            at = chance.randrange(len(data))
            match chance.randrange(4):
                case 0:
                    data[at] = chance.randrange(256)
                case 1:
                    data[at] ^= 1 << chance.randrange(8)
                case 2:
                    del data[at : at + chance.randint(1, 9)]
                    data += b"."
                case _:
                    piece = chance.choice(SAMPLES)
                    begin = chance.randrange(len(piece))
                    data[at:at] = piece[begin : begin + chance.randint(1, 40)]
        try:
            found = load(bytes(data))
        except PickleError:
            continue
        io.StringIO().write(repr(found))


SAMPLES = samples()


def test_damaged_bytes_end_in_our_error_and_never_the_process() -> None:
    program = (
        "import sys; from test_safe_pickle import flip_bytes; flip_bytes(int(sys.argv[1]), 20000)"
    )
    for seed in range(2):
        ended = subprocess.run(
            [sys.executable, "-W", "error", "-c", program, str(seed)],
            capture_output=True,
            cwd=Path(__file__).parent,
            timeout=300,
            check=False,
        )
        assert (ended.returncode, ended.stderr.decode()) == (0, "")
