"""Files of word vectors of every form: generated ones to bit equality, real ones, damaged ones."""

import json
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from howto.errors import UsageError
from howto.train import word_vectors
from howto.train.word_vectors import (
    WordVectors,
    open_word_vectors,
    pick_words,
    save_word_vectors,
)

NAMES = ["the", "The", "New_York", "it's", "größe", "切る", "42", "0.5", "</s>"]
MATRIX = np.random.default_rng(0).normal(0, 1, (len(NAMES), 5)).astype(np.float32)

Writer = Callable[[Path, list[str], np.ndarray], Path]


def write_binary(path: Path, words, matrix: np.ndarray, end: bytes = b"") -> Path:
    rows = [
        (word if isinstance(word, bytes) else word.encode())
        + b" "
        + struct.pack(f"<{len(row)}f", *row)
        + end
        for word, row in zip(words, matrix, strict=True)
    ]
    path.write_bytes(f"{len(words)} {matrix.shape[1]}\n".encode() + b"".join(rows))
    return path


def write_lines(path: Path, words, matrix: np.ndarray, *, header: bool, end: str = "\n") -> Path:
    # repr of a float32 as float64 has digits enough to give the same float32.
    rows = [
        f"{word} {' '.join(repr(float(x)) for x in row)}"
        for word, row in zip(words, matrix, strict=True)
    ]
    if header:
        rows.insert(0, f"{len(words)} {matrix.shape[1]}")
    path.write_bytes("".join(f"{row}{end}" for row in rows).encode())
    return path


def write_array(path: Path, words, matrix: np.ndarray) -> Path:
    np.save(path.with_suffix(".npy"), matrix)
    path.with_suffix(".txt").write_text("".join(f"{word}\n" for word in words))
    return path.with_suffix(".npy")


WRITERS: dict[str, Writer] = {
    "binary as word2vec writes it": lambda p, w, m: write_binary(p, w, m, b"\n"),
    "binary as gensim writes it": write_binary,
    "word2vec text": lambda p, w, m: write_lines(p, w, m, header=True),
    "word2vec text, spaces at the ends": lambda p, w, m: write_lines(
        p, w, m, header=True, end=" \n"
    ),
    "fastText .vec, Windows": lambda p, w, m: write_lines(p, w, m, header=True, end="\r\n"),
    "GloVe": lambda p, w, m: write_lines(p, w, m, header=False),
    "GloVe, Windows": lambda p, w, m: write_lines(p, w, m, header=False, end="\r\n"),
    "array": write_array,
}


@pytest.fixture(params=list(WRITERS))
def writer(request: pytest.FixtureRequest) -> Writer:
    return WRITERS[request.param]


def test_every_form_gives_the_bits_that_were_written(writer: Writer, tmp_path: Path) -> None:
    found = open_word_vectors(writer(tmp_path / "vectors", NAMES, MATRIX))
    assert found.words == tuple(NAMES)
    assert found.matrix.dtype == np.float32
    np.testing.assert_array_equal(found.matrix, MATRIX)
    assert (found.dim, found.doubled) == (5, 0)


def test_only_what_is_wanted_is_taken(writer: Writer, tmp_path: Path) -> None:
    path = writer(tmp_path / "vectors", NAMES, MATRIX)
    found = pick_words(path, {"切る", "The", "unknown", "the_"})
    assert found.words == ("The", "切る")
    np.testing.assert_array_equal(found.matrix, MATRIX[[1, 5]])
    nothing = pick_words(path, ())
    assert (nothing.words, nothing.matrix.shape) == ((), (0, 5))


def test_of_a_word_that_comes_twice_the_first_counts(writer: Writer, tmp_path: Path) -> None:
    path = writer(tmp_path / "vectors", ["a", "b", "a", "c"], MATRIX[:4])
    for found in (open_word_vectors(path), pick_words(path, {"a", "b", "c"})):
        assert (found.words, found.doubled) == (("a", "b", "c"), 1)
        np.testing.assert_array_equal(found.matrix, MATRIX[[0, 1, 3]])


@given(
    st.lists(
        st.text(st.characters(exclude_characters=" \t\n\r\x0b\x0c", exclude_categories=["Cs"]))
        .filter(lambda word: word.strip() and not word.startswith("\ufeff"))
        .map(lambda word: word[:20]),
        min_size=1,
        max_size=6,
        unique=True,
    ),
    st.integers(2, 4),
    st.sampled_from(list(WRITERS)),
    st.randoms(use_true_random=False),
)
def test_any_words(tmp_path_factory, words: list[str], dim: int, form: str, random) -> None:
    """Also words that text files elsewhere break lines or fields at, and words of digits."""
    folder = tmp_path_factory.mktemp("any")
    matrix = np.array([[random.uniform(-9, 9) for _ in range(dim)] for _ in words], np.float32)
    path = WRITERS[form](folder / "vectors", words, matrix)
    wanted = set(random.sample(words, k=random.randint(1, len(words))))
    found = pick_words(path, wanted)
    places = [words.index(word) for word in found.words]
    assert set(found.words) == wanted
    np.testing.assert_array_equal(found.matrix, matrix[places])


@pytest.mark.parametrize("header", [True, False])
def test_words_with_spaces_in_text(header: bool, tmp_path: Path) -> None:
    """GloVe's largest file has some, such as `. . .` and `at name@domain.com`."""
    words = ["the", ". . .", "at name@domain.com", "1 2", "of"]
    path = write_lines(tmp_path / "v.txt", words, MATRIX[:5], header=header)
    assert open_word_vectors(path).words == tuple(words)
    found = pick_words(path, {"at name@domain.com", "of"})
    assert found.words == ("at name@domain.com", "of")
    np.testing.assert_array_equal(found.matrix, MATRIX[[2, 4]])


def test_a_word_that_is_no_utf8(tmp_path: Path) -> None:
    path = write_binary(tmp_path / "v.bin", [b"caf\xe9", b"tea"], MATRIX[:2])
    assert open_word_vectors(path).words == ("caf\\xe9", "tea")
    np.testing.assert_array_equal(pick_words(path, {"tea", "caf\\xe9"}).matrix, MATRIX[1:2])


def test_tabs_between_the_fields(tmp_path: Path) -> None:
    path = tmp_path / "v.txt"
    path.write_text("a\t1\t2\nb\t3\t4\n")
    assert pick_words(path, {"b"}).matrix.tolist() == [[3, 4]]
    assert pick_words(path, {"c"}).words == ()


def test_arrays_with_words_in_json(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", MATRIX[:3].astype(np.float64))
    (tmp_path / "v.json").write_text(json.dumps({"a": 2, "b": 0}))
    found = open_word_vectors(tmp_path / "v.npy")
    assert found.words == ("b", "a")
    np.testing.assert_array_equal(found.matrix, MATRIX[[0, 2]])
    (tmp_path / "list.json").write_text(json.dumps(["x", "y", "z"]))
    found = pick_words(tmp_path / "v.npy", {"y"}, vocabulary=tmp_path / "list.json")
    np.testing.assert_array_equal(found.matrix, MATRIX[[1]])


def test_an_array_is_mapped_not_read(tmp_path: Path) -> None:
    found = open_word_vectors(write_array(tmp_path / "v", NAMES, MATRIX))
    assert isinstance(found.matrix, np.memmap)


def test_what_is_saved_is_found(tmp_path: Path) -> None:
    path = save_word_vectors(WordVectors(tuple(NAMES), MATRIX), tmp_path)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["vectors.npy", "vocabulary.txt"]
    found = open_word_vectors(path)
    assert found.words == tuple(NAMES)
    np.testing.assert_array_equal(found.matrix, MATRIX)
    with pytest.raises(ValueError, match="line break"):
        save_word_vectors(WordVectors(("a\nb",), MATRIX[:1]), tmp_path)


# --- real files ---


def test_the_real_glove_words_of_youcook2(shared_data: Path, tmp_path: Path) -> None:
    """A torch file of a numpy array, loaded without unpickling freely; rows by word in JSON."""
    path, words = (
        shared_data / "text" / name for name in ("youcook2_vocab_glove.pt", "mart_word2idx.json")
    )
    rows = json.loads(words.read_text())
    theirs = torch.load(path, weights_only=False)
    found = pick_words(path, {"onion", "pour", "Onion"}, vocabulary=words)
    assert sorted(found.words) == ["onion", "pour"]
    for word, vector in zip(found.words, found.matrix, strict=True):
        np.testing.assert_array_equal(vector, theirs[rows[word]].astype(np.float32))
    everything = open_word_vectors(path, vocabulary=words)
    assert (len(everything.words), everything.dim) == (992, 300)
    # The same vectors as word2vec's binary, and back.
    binary = write_binary(tmp_path / "v.bin", list(everything.words), everything.matrix)
    again = pick_words(binary, {"onion", "pour"})
    np.testing.assert_array_equal(again.matrix, found.matrix)
    similar = found.matrix @ everything.matrix.T
    similar /= np.linalg.norm(everything.matrix, axis=1) + 1e-9
    nearest = [everything.words[k] for k in np.argsort(-similar[list(found.words).index("onion")])]
    assert nearest[0] == "onion"
    assert {"garlic", "onions"} & set(nearest[1:6])


# --- damage ---


def refused(path: Path, match: str, wanted: set[str] | None = None) -> None:
    for take in (lambda: open_word_vectors(path), lambda: pick_words(path, wanted or {"the"})):
        with pytest.raises(UsageError, match=match):
            take()


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_binary_file_that_is_cut_off_anywhere(end: bytes, tmp_path: Path) -> None:
    path = write_binary(tmp_path / "v.bin", NAMES, MATRIX, end)
    whole = path.read_bytes()
    length = len(b"the ") + 20 + len(end)
    for cut in (4, 9, 24, length - 1 - len(end), len(whole) - len(end) - 1):
        path.write_bytes(whole[: 4 + cut] if cut < 30 else whole[:cut])
        with pytest.raises(UsageError, match=r"byte \d+: cut off|line \d+"):
            open_word_vectors(path)


def test_damage_is_named_by_its_byte_or_line(tmp_path: Path) -> None:
    path = write_binary(tmp_path / "v.bin", NAMES, MATRIX)
    path.write_bytes(path.read_bytes()[:-3])
    refused(path, rf"byte \d+: cut off or damaged at word 9 of {len(NAMES)}")
    write_binary(path, NAMES, MATRIX)
    path.write_bytes(path.read_bytes() + b"some more")
    refused(path, r"byte \d+: 9 bytes more than the 9 words")
    infinite = MATRIX.copy()
    infinite[0, 2] = np.inf
    refused(write_binary(path, NAMES, infinite), r"byte 8: the vector of 'the' is not finite")


@pytest.mark.parametrize("header", [True, False])
def test_damaged_lines(header: bool, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "v.txt", NAMES, MATRIX, header=header)
    lines = path.read_text().splitlines()
    last = len(lines)
    path.write_text("\n".join([*lines[:-1], " ".join(lines[-1].split()[:-2])]))
    refused(path, f"line {last}: cut off or damaged: expected a word and 5 numbers, found 4")
    path.write_text("\n".join([*lines[:-1], lines[-1].replace(" ", " x", 1)]))
    refused(path, f"line {last}: the vector of '</s>': could not convert", {"</s>"})
    path.write_text("\n".join([*lines[:-1], "</s> nan 1 1 1 1"]))
    refused(path, f"line {last}: the vector of '</s>' is not finite", {"</s>"})


def test_a_text_with_fewer_words_than_it_says(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "v.vec", NAMES, MATRIX, header=True)
    path.write_text("\n".join(path.read_text().splitlines()[:-2]))
    refused(path, "after line 8: cut off or damaged: 7 words, and the first line says 9")


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (b"\x1f\x8b\x08\x00rest", "is compressed; unpack it first: gunzip v.bin"),
        (b"PK\x03\x04\x00\x00", "is compressed; unpack it first: unzip v.bin"),
        ((793_712_314).to_bytes(4, "little") + bytes(50), "is a fastText model; name the .vec"),
        (b"\x89PNG\r\n\x1a\n" + bytes(200), "line 1"),
        (b"only words on this line\nand here\n", "line 1: expected a word and its numbers"),
    ],
)
def test_files_of_other_kinds(data: bytes, match: str, tmp_path: Path) -> None:
    (tmp_path / "v.bin").write_bytes(data)
    refused(tmp_path / "v.bin", match)


@given(st.binary(max_size=300))
@example(b"\x0b")
def test_any_bytes_give_vectors_or_our_error(tmp_path_factory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("bytes") / "v.bin"
    for beginning in (b"", b"2 3\n", b"a 1 2\n"):
        path.write_bytes(beginning + data)
        for take in (lambda: open_word_vectors(path), lambda: pick_words(path, {"a", "the"})):
            try:
                found = take()
            except UsageError:
                continue
            assert len(found.words) == len(found.matrix)
            assert np.isfinite(found.matrix).all()


@pytest.mark.parametrize(
    ("array", "words", "match"),
    [
        (MATRIX[0], "a\n", r"expected numbers \(V, D\), found float32 \(5,\)"),
        (MATRIX[:2].astype(int), "a\nb\n", r"expected numbers \(V, D\), found int64"),
        (MATRIX[:2], "a\nb\nc\n", "3 words, and the array 2 rows"),
        (MATRIX[:2], None, "holds vectors and no words: expected one word a line"),
        (np.array([["x"]], object), "a\n", "is damaged, or no array of numbers"),
    ],
)
def test_arrays_that_are_no_vectors(array, words: str | None, match: str, tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", array, allow_pickle=True)
    if words is not None:
        (tmp_path / "v.txt").write_text(words)
    refused(tmp_path / "v.npy", match)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("{", "damaged JSON"),
        ("3", "expected a list of words, or rows by word"),
        ('{"a": 7}', "the row of 'a' is 7, expected 0 to 1"),
        ('{"a": true}', "the row of 'a' is True"),
    ],
)
def test_vocabularies_that_do_not_fit(text: str, match: str, tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", MATRIX[:2])
    (tmp_path / "v.json").write_text(text)
    refused(tmp_path / "v.npy", match)


def test_a_pickle_that_runs_something_is_refused(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    torch.save(Evil(), tmp_path / "v.pt")
    refused(tmp_path / "v.pt", "expected containers, text, numbers, tensors and arrays of numbers")
    assert not (tmp_path / "ran").exists()


def test_all_of_too_many_words_are_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(word_vectors, "MOST_OF_ALL", 4)
    for header in (True, False):
        path = write_lines(tmp_path / "v.txt", NAMES, MATRIX, header=header)
        with pytest.raises(UsageError, match="say which are wanted"):
            open_word_vectors(path)
        assert len(pick_words(path, set(NAMES[:4])).words) == 4
    with pytest.raises(UsageError, match="there is no file of word vectors"):
        open_word_vectors(tmp_path / "none.bin")
