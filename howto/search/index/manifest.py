"""What an index holds, in `index.db` beside its vectors: only what stands here counts.

    <state>/index/<model>/  index.db                        this: recipe, groups, which files count
                            vectors-<generation>.f16        float16 (rows, D), little-endian
                            cells-<generation>-<n>.faiss    of the approximate index, and
                            shard-<generation>-<first>-<end>.faiss   its rows

Vectors come in groups, one a video: rows that follow each other, with a stamp of what they were
made from. A group that is taken out leaves its rows behind, dead, until they are too many. Vectors
are written and flushed first; then one transaction says that they count. So a kill at any instant
leaves the index as it was before or as it is after, and what nobody refers to is removed by the
next who writes.

Needs neither numpy nor FAISS.
"""

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from howto.errors import LibraryError
from howto.recipe import Recipe

__all__ = [
    "Approximate",
    "Group",
    "Manifest",
    "Piece",
    "connect",
    "index_folder",
    "read_manifest",
    "vectors_path",
    "write_manifest",
]

FORMAT = 2
DATABASE = "index.db"
BYTES_PER_VALUE = 2
_BUSY_SECONDS = 60
_TABLES = """
    CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS groups (
        name  TEXT PRIMARY KEY,
        stamp TEXT NOT NULL,
        first INTEGER NOT NULL,
        count INTEGER NOT NULL
    ) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Group:
    """Rows that were made together: those of one video.

    Attributes:
        stamp: changes whenever they have to be made again.
        first, count: they are rows first .. first + count - 1.
    """

    stamp: str
    first: int
    count: int


@dataclass(frozen=True, slots=True)
class Piece:
    """A file of the approximate index.

    Attributes:
        file: its name in the folder.
        size: in bytes, as it was written.
        rows: of a shard: how many it holds; of the cells: how many there were when these were
            chosen.
    """

    file: str
    size: int
    rows: int


@dataclass(frozen=True, slots=True)
class Approximate:
    """The approximate index of a manifest.

    Attributes:
        cells: where rows belong.
        shards: the rows, dead ones included: those of the second follow those of the first. What
            comes after the last is searched exactly.
    """

    cells: Piece
    shards: tuple[Piece, ...]

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """All its files."""
        return self.cells, *self.shards

    @property
    def rows(self) -> int:
        """It holds rows 0 .. rows - 1."""
        return sum(shard.rows for shard in self.shards)

    def is_whole(self, folder: Path) -> bool:
        """Its files are there, and as long as they were written."""
        paths = [(folder / piece.file, piece.size) for piece in self.pieces]
        return all(path.is_file() and path.stat().st_size == size for path, size in paths)

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> "Approximate":
        """As `asdict` writes it."""
        return cls(Piece(**told["cells"]), tuple(Piece(**shard) for shard in told["shards"]))


@dataclass(frozen=True, slots=True)
class Manifest:
    """An index as its database says.

    Attributes:
        recipe: all that determines the vectors, but for what the groups are made from.
        dim: D.
        rows: that count, dead ones included.
        groups: by name, in order of their first row.
        approximate: None where there is none.
        facts: what whoever fills the index keeps beside it, as JSON by name.
    """

    folder: Path
    recipe: Recipe
    dim: int
    generation: int
    rows: int
    groups: Mapping[str, Group]
    approximate: Approximate | None
    facts: Mapping[str, str]

    @property
    def vectors_path(self) -> Path:
        """The file of vectors that counts."""
        return vectors_path(self.folder, self.generation)

    @property
    def live(self) -> int:
        """How many rows belong to a group."""
        return sum(group.count for group in self.groups.values())


def index_folder(state: Path, name: str) -> Path:
    """Where the index of a model lies, or would.

    Args:
        state: the library's state folder.
        name: as the model is asked for, such as `my-run` or `clip:ViT-B-32.openai`.
    """
    plain = quote(name, safe="")
    return state / "index" / (f"%2E{plain[1:]}" if plain.startswith(".") else plain)


def vectors_path(folder: Path, generation: int) -> Path:
    """The file of vectors of a generation."""
    return folder / f"vectors-{generation}.f16"


def read_manifest(folder: Path) -> Manifest | None:
    """Read what an index holds; None where there is none.

    Raises:
        LibraryError: it is damaged, or another howto wrote it.
    """
    if not (folder / DATABASE).exists():
        return None
    try:
        with closing(connect(folder)) as connection:
            connection.execute("BEGIN")
            return _read(folder, connection)
    except (sqlite3.DatabaseError, ValueError, KeyError, TypeError) as error:
        raise LibraryError(
            f"the index in {folder} cannot be read ({error}). Delete the folder: it is made again"
        ) from error


def _read(folder: Path, connection: sqlite3.Connection) -> Manifest | None:
    tables = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'facts'")
    if tables.fetchone() == (0,):  # killed before it had tables, or another process is at it
        return None
    facts: dict[str, str] = dict(connection.execute("SELECT name, value FROM facts"))
    if "recipe" not in facts:  # killed before its first transaction
        return None
    own = json.loads(facts["own"])
    if own["format"] != FORMAT:
        raise ValueError(f"format {own['format']}, expected {FORMAT}")
    rows = connection.execute("SELECT name, stamp, first, count FROM groups ORDER BY first")
    groups = {name: Group(*parts) for name, *parts in rows}
    told = own["approximate"]
    manifest = Manifest(
        folder,
        Recipe.of(**json.loads(facts["recipe"])),
        own["dim"],
        own["generation"],
        own["rows"],
        groups,
        Approximate.of(told) if told else None,
        {name: value for name, value in facts.items() if name not in ("own", "recipe")},
    )
    _check(manifest)
    return manifest


def _check(manifest: Manifest) -> None:
    end = 0
    for name, group in manifest.groups.items():
        if group.first < end or group.count < 1:
            raise ValueError(f"the rows of {name} overlap others")
        end = group.first + group.count
    if end > manifest.rows:
        raise ValueError(f"{end} rows in groups, {manifest.rows} in all")


def connect(folder: Path) -> sqlite3.Connection:
    """Open the database of an index; it is made where there is none."""
    connection = sqlite3.connect(folder / DATABASE, timeout=_BUSY_SECONDS, isolation_level=None)
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def write_manifest(
    connection: sqlite3.Connection, manifest: Manifest, before: Mapping[str, Group]
) -> None:
    """Make a manifest the one that counts, in one transaction.

    Args:
        before: the groups that the database has now, so that only what differs is written.
    """
    gone = [(name,) for name in before if name not in manifest.groups]
    new = [
        (name, *_columns(group))
        for name, group in manifest.groups.items()
        if before.get(name) != group
    ]
    facts = {**manifest.facts, "own": _own(manifest), "recipe": manifest.recipe.text}
    connection.executescript(_TABLES)
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute("DELETE FROM facts")
        connection.executemany("INSERT INTO facts VALUES (?, ?)", facts.items())
        connection.executemany("DELETE FROM groups WHERE name = ?", gone)
        connection.executemany("INSERT OR REPLACE INTO groups VALUES (?, ?, ?, ?)", new)
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _columns(group: Group) -> tuple[str, int, int]:
    return group.stamp, group.first, group.count


def _own(manifest: Manifest) -> str:
    told: dict[str, Any] = {
        "format": FORMAT,
        "dim": manifest.dim,
        "generation": manifest.generation,
        "rows": manifest.rows,
        "approximate": asdict(manifest.approximate) if manifest.approximate else None,
    }
    return json.dumps(told)
