"""Word vectors from files of any usual form; only the words that are wanted are held in memory.

| form | what it is |
|---|---|
| word2vec binary | `V D` and a line feed, then V times: word, space, D float32 little-endian |
| word2vec text, fastText .vec | `V D`, then a line for each word: word, D numbers |
| GloVe text | the same without the first line |
| .npy, .pt or .pth, words beside | (V, D), and `vocabulary.txt`, `<name>.txt` or `<name>.json` |

The form is found in the file, not by its name. A file is passed through once, memory-mapped or line
by line, so 3.6 GB of GoogleNews cost the room of the words that are picked. Of words that a file
has twice the first counts. Words are bytes to these formats: one that is no UTF-8 is never wanted,
and where all words are taken its odd bytes are spelled `\\xff`.
"""

import json
import mmap
import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from howto.errors import UsageError

__all__ = ["WordVectors", "list_words", "open_word_vectors", "pick_words", "save_word_vectors"]

MOST_OF_ALL = 1_000_000
"""The most words that are taken where it is not said which; more would not fit many memories."""

VOCABULARY_FILE = "vocabulary.txt"
VECTORS_FILE = "vectors.npy"

_LONGEST_WORD = 4096  # bytes
_LOOKED_AT = 1 << 20  # bytes that tell the form
_LINES_LOOKED_AT = 100
_FASTTEXT_MODEL = (793_712_314).to_bytes(4, "little")
_PACKED = {b"\x1f\x8b": "gunzip", b"PK": "unzip", b"BZ": "bunzip2", b"\xfd7": "unxz"}
_ARRAYS = (".npy", ".pt", ".pth")


@dataclass(frozen=True, slots=True, eq=False)
class WordVectors:
    """Words with a vector each.

    Attributes:
        words: (V,), all different, in the order of the file.
        matrix: float32 (V, D), the bits of the file where it holds float32; memory-mapped where
            all words of a .npy were taken.
        doubled: how many of the words the file has more than once.
    """

    words: tuple[str, ...]
    matrix: NDArray[np.float32]
    doubled: int = 0

    @property
    def dim(self) -> int:
        """D, the length of a vector."""
        return int(self.matrix.shape[1])


def open_word_vectors(path: Path, *, vocabulary: Path | None = None) -> WordVectors:
    """Take all words of a file.

    Args:
        path: a file of one of the forms above.
        vocabulary: the words of an array; None: the file beside it.

    Raises:
        UsageError: as `pick_words`; or there are more than a million words: pick those you want.
    """
    return _read(path, None, vocabulary)


def pick_words(
    path: Path, wanted: Collection[str], *, vocabulary: Path | None = None
) -> WordVectors:
    """Take those of the wanted words that a file has, in one pass.

    Lines of other words are not parsed: only their length is looked at.

    Args:
        path, vocabulary: as for `open_word_vectors`.
        wanted: words, in any order; case counts.

    Raises:
        UsageError: there is no such file, it is of no known form, cut off or damaged; the message
            gives the byte (binary forms) or the line.
    """
    return _read(path, frozenset(wanted), vocabulary)


def list_words(path: Path) -> Iterator[str]:
    """Yield the words of a file in its order, as often as it has them, without their vectors.

    Raises:
        UsageError: as `pick_words`; a vector that is damaged is not noticed.
    """
    if not path.is_file():
        raise UsageError(f"there is no file of word vectors {path}")
    if path.suffix.lower() in _ARRAYS:
        listed = _listed_words(_vocabulary_of(path, None), len(_array(path)))
        yield from (word for word in listed if word is not None)
        return
    with path.open("rb") as file:
        beginning = file.read(_LOOKED_AT)
        _refuse_other_forms(path, beginning)
        header = _header(beginning)
        begin = beginning.index(b"\n") + 1 if header else 0
        if header and _is_binary(beginning, header[1]):
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                for word, _ in _binary_words(path, data, begin, header[0], 4 * header[1]):
                    yield word.decode(errors="backslashreplace")
            return
        dim = header[1] if header else _dim_of_lines(path, beginning)
        file.seek(begin)
        for number, line in _lines(file, 1 + bool(header)):
            word, _ = _split(line, dim, f"{path}, line {number}")
            yield word.decode(errors="backslashreplace")


def save_word_vectors(vectors: WordVectors, folder: Path) -> Path:
    """Write `vocabulary.txt` and `vectors.npy`, each whole or not at all.

    Returns:
        The path of `vectors.npy`, which `open_word_vectors` and `pick_words` read.

    Raises:
        ValueError: a word holds a line break, or there are not as many vectors as words.
    """
    if len(vectors.words) != len(vectors.matrix):
        raise ValueError(f"{len(vectors.words)} words and {len(vectors.matrix)} vectors")
    if any("\n" in word or "\r" in word for word in vectors.words):
        raise ValueError("a word holds a line break")
    text = "".join(f"{word}\n" for word in vectors.words)
    _write_whole(folder / VOCABULARY_FILE, lambda file: file.write(text.encode()))
    matrix = np.asarray(vectors.matrix, np.float32)
    _write_whole(folder / VECTORS_FILE, lambda file: np.save(file, matrix, allow_pickle=False))
    return folder / VECTORS_FILE


def _write_whole(path: Path, write: Any) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


_Wanted = frozenset[str] | None
_Found = tuple[list[bytes], list[NDArray[np.float32]], int]
"""Words, vectors, and how many words came again."""


def _read(path: Path, wanted: _Wanted, vocabulary: Path | None) -> WordVectors:
    if not path.is_file():
        raise UsageError(f"there is no file of word vectors {path}")
    try:
        if path.suffix.lower() in _ARRAYS:
            return _of_array(path, wanted, vocabulary)
        if vocabulary is not None:
            raise UsageError(f"{path} holds its words itself; a vocabulary goes with an array")
        return _of_words_with_vectors(path, wanted)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error


def _of_words_with_vectors(path: Path, wanted: _Wanted) -> WordVectors:
    with path.open("rb") as file:
        beginning = file.read(_LOOKED_AT)
    _refuse_other_forms(path, beginning)
    header = _header(beginning)
    names = None if wanted is None else {word.encode(errors="replace") for word in wanted}
    if header and _is_binary(beginning, header[1]):
        dim = header[1]
        found = _binary(path, header, beginning.index(b"\n") + 1, names)
    else:
        dim = header[1] if header else _dim_of_lines(path, beginning)
        found = _text(path, header, dim, names)
    words, rows, doubled = found
    matrix = np.array(rows, np.float32) if rows else np.zeros((0, dim), np.float32)
    return WordVectors(tuple(w.decode(errors="backslashreplace") for w in words), matrix, doubled)


def _refuse_other_forms(path: Path, beginning: bytes) -> None:
    if not beginning.strip():
        raise UsageError(f"{path} is empty: expected words with their vectors")
    for mark, command in _PACKED.items():
        if beginning.startswith(mark) and b"\x00" in beginning[:64]:
            raise UsageError(f"{path} is compressed; unpack it first: {command} {path.name}")
    if beginning.startswith(_FASTTEXT_MODEL):
        raise UsageError(f"{path} is a fastText model; name the .vec file that comes with it")


def _header(beginning: bytes) -> tuple[int, int] | None:
    """V and D of the first line, where it says them."""
    fields = beginning.partition(b"\n")[0].split()
    if len(fields) == 2 and all(field.isdigit() for field in fields) and int(fields[1]):
        return int(fields[0]), int(fields[1])
    return None


def _is_binary(beginning: bytes, dim: int) -> bool:
    """What comes after the header is no line of a word and D numbers, nor one that is cut off."""
    rest = beginning.partition(b"\n")[2]
    fields = rest.partition(b"\n")[0].split()
    if not rest.strip():
        return False
    numbers = fields[-dim:] if len(fields) > dim else fields[1:]
    return not numbers or not all(map(_is_number, numbers))


def _is_number(field: bytes) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


# --- word2vec binary ---


def _binary(path: Path, header: tuple[int, int], begin: int, wanted: set[bytes] | None) -> _Found:
    num_words, dim = header
    _refuse_too_many(path, num_words, wanted)
    places: dict[bytes, int] = {}
    doubled = 0
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        for word, at in _binary_words(path, data, begin, num_words, 4 * dim):
            if wanted is None or word in wanted:
                if word in places:
                    doubled += 1
                else:
                    places[word] = at
        rows = [np.frombuffer(data[at : at + 4 * dim], "<f4") for at in places.values()]
    for (word, at), row in zip(places.items(), rows, strict=True):
        if not np.isfinite(row).all():
            raise UsageError(f"{path}, byte {at}: the vector of {_shown(word)} is not finite")
    return list(places), rows, doubled


def _binary_words(
    path: Path, data: mmap.mmap, begin: int, num_words: int, length: int
) -> Iterator[tuple[bytes, int]]:
    """Each word with the byte at which its vector begins."""
    find, size = data.find, len(data)
    at = begin
    for number in range(num_words):
        space = find(b" ", at, at + _LONGEST_WORD)
        if space < 0 or space + 1 + length > size:
            raise UsageError(
                f"{path}, byte {at}: cut off or damaged at word {number + 1} of {num_words}; "
                "expected a word, a space and its vector"
            )
        # word2vec writes a line feed after each vector, gensim does not.
        yield data[at:space].lstrip(b"\r\n"), space + 1
        at = space + 1 + length
    if size - at > 2:
        raise UsageError(
            f"{path}, byte {at}: {size - at} bytes more than the {num_words} words that the file "
            "says it has"
        )


def _refuse_too_many(path: Path, num_words: int, wanted: Collection[Any] | None) -> None:
    if wanted is None and num_words > MOST_OF_ALL:
        raise UsageError(
            f"{path} has {num_words:,} words: say which are wanted; all of them are taken of up to "
            f"{MOST_OF_ALL:,}"
        )


def _shown(word: bytes) -> str:
    return repr(word.decode(errors="backslashreplace"))


# --- text ---


def _dim_of_lines(path: Path, beginning: bytes) -> int:
    """D of a file without a header: what most of the first lines have.

    A word may hold spaces, so single lines may have more fields, or fewer where they are damaged.
    """
    lines = beginning.split(b"\n")[:_LINES_LOOKED_AT]
    whole = lines[:-1] if len(beginning) == _LOOKED_AT and len(lines) > 1 else lines
    counts = Counter(len(line.split()) for line in whole if line.strip())
    dim = max(counts, key=lambda count: (counts[count], -count)) - 1
    fields = whole[0].split()
    if dim < 1 or not all(_is_number(field) for field in fields[-dim:]):
        raise UsageError(
            f"{path}, line 1: expected a word and its numbers, or how many words and numbers there "
            f"are; found {_shown(whole[0][:60])}"
        )
    return dim


def _text(
    path: Path, header: tuple[int, int] | None, dim: int, wanted: set[bytes] | None
) -> _Found:
    if header:
        _refuse_too_many(path, header[0], wanted)
    # The first field of a line is quick to get at; a word may have more.
    firsts = None if wanted is None else {word.split(b" ")[0] for word in wanted}
    rows: dict[bytes, NDArray[np.float32]] = {}
    doubled = count = number = 0
    with path.open("rb") as file:
        if header:
            file.readline()
        for number, line in _lines(file, 1 + bool(header)):
            count += 1
            if line.count(b" ") >= dim and firsts is not None and _first(line) not in firsts:
                continue
            where = f"{path}, line {number}"
            word, fields = _split(line, dim, where)
            if wanted is not None and word not in wanted:
                continue
            if word in rows:
                doubled += 1
                continue
            rows[word] = _parsed(fields, word, where)
            if len(rows) > MOST_OF_ALL:
                _refuse_too_many(path, len(rows), wanted)
    if header and count != header[0]:
        raise UsageError(
            f"{path}, after line {number or 1}: cut off or damaged: {count} words, and the first "
            f"line says {header[0]}"
        )
    return list(rows), list(rows.values()), doubled


def _lines(file: Iterable[bytes], first: int) -> Iterator[tuple[int, bytes]]:
    """Lines with their numbers, by line feed alone: words may hold what breaks lines elsewhere."""
    for number, line in enumerate(file, start=first):
        if stripped := line.rstrip(b" \t\r\n"):
            yield number, stripped


def _first(line: bytes) -> bytes:
    return line[: line.find(b" ")]


def _split(line: bytes, dim: int, where: str) -> tuple[bytes, list[bytes]]:
    # A line of white space that is neither blank nor tab has no part at all.
    word, *fields = line.rsplit(None, dim) or [line]
    if len(fields) != dim:
        raise UsageError(
            f"{where}: cut off or damaged: expected a word and {dim} numbers, found "
            f"{len(fields) + 1} fields"
        )
    return word, fields


def _parsed(fields: list[bytes], word: bytes, where: str) -> NDArray[np.float32]:
    try:
        row = np.array([float(field) for field in fields], np.float32)
    except ValueError as error:
        raise UsageError(f"{where}: the vector of {_shown(word)}: {error}") from error
    if not np.isfinite(row).all():
        raise UsageError(f"{where}: the vector of {_shown(word)} is not finite")
    return row


# --- arrays with words beside ---


def _of_array(path: Path, wanted: _Wanted, vocabulary: Path | None) -> WordVectors:
    matrix = _array(path)
    listed = _listed_words(_vocabulary_of(path, vocabulary), len(matrix))
    rows: dict[str, int] = {}
    doubled = 0
    for row, word in enumerate(listed):
        if word is not None and (wanted is None or word in wanted):
            doubled += word in rows
            rows.setdefault(word, row)
    chosen = list(rows.values())
    whole = chosen == list(range(len(matrix))) and matrix.dtype == np.float32
    _refuse_too_many(path, len(rows), None if wanted is None and not whole else ())
    picked = matrix if whole else np.asarray(matrix[chosen], np.float32)
    finite = np.isfinite(picked).all(axis=1)
    if not finite.all():
        word = list(rows)[int(np.argmin(finite))]
        raise UsageError(f"{path}, row {rows[word]}: the vector of {word!r} is not finite")
    return WordVectors(tuple(rows), picked, doubled)


def _array(path: Path) -> NDArray[Any]:
    if path.suffix.lower() == ".npy":
        try:
            matrix = np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise UsageError(f"{path} is damaged, or no array of numbers: {error}") from error
    else:
        from howto.train.foreign import load_foreign

        matrix = np.asarray(load_foreign(path))
    if matrix.ndim != 2 or matrix.dtype.kind != "f" or not matrix.shape[1]:
        raise UsageError(f"{path}: expected numbers (V, D), found {matrix.dtype} {matrix.shape}")
    found: NDArray[Any] = matrix
    return found


def _vocabulary_of(path: Path, vocabulary: Path | None) -> Path:
    if vocabulary is not None:
        if not vocabulary.is_file():
            raise UsageError(f"there is no vocabulary {vocabulary}")
        return vocabulary
    beside = (path.with_name(VOCABULARY_FILE), path.with_suffix(".txt"), path.with_suffix(".json"))
    for one in (*beside[1:], beside[0]):
        if one.is_file():
            return one
    raise UsageError(
        f"{path} holds vectors and no words: expected one word a line in {beside[0].name} or "
        f"{beside[1].name} beside it, or {beside[2].name} with a list, or rows by word"
    )


def _listed_words(path: Path, count: int) -> list[str | None]:
    """The word of each row; None for a row that no word has."""
    try:
        text = path.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: byte {error.start} is no UTF-8") from error
    if path.suffix.lower() == ".json":
        return _words_of_json(path, text, count)
    words = text.removesuffix("\n").split("\n") if text else []
    if len(words) != count:
        raise UsageError(f"{path} has {len(words)} words, and the array {count} rows")
    return [word.removesuffix("\r") for word in words]


def _words_of_json(path: Path, text: str, count: int) -> list[str | None]:
    try:
        held = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: damaged JSON: {error}") from error
    if isinstance(held, list):
        held = {word: row for row, word in enumerate(held) if isinstance(word, str)}
    if not isinstance(held, dict):
        raise UsageError(f"{path}: expected a list of words, or rows by word")
    words: list[str | None] = [None] * count
    for word, row in held.items():
        if type(row) is not int or not 0 <= row < count:
            raise UsageError(f"{path}: the row of {word!r} is {row!r}, expected 0 to {count - 1}")
        words[row] = word
    return words
