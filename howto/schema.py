"""The tables of library.db, as the steps that lead to them.

Step n takes a library of schema n to schema n + 1 (0 is an empty file). A step that has been
released is never
edited: a change is a new step at the end.
"""

import sqlite3

from howto import __version__
from howto.errors import NewerLibrary

__all__ = ["SCHEMA", "is_current", "migrate"]

# Combining marks belong to words: without them a Hindi word falls into single letters.
_TOKENS = """ "porter unicode61 remove_diacritics 2 categories 'L* N* Co Mn Mc'" """

_STEPS = (
    # Paths are bytes: a file name need not be valid UTF-8. `number` is the short key that other
    # tables and the full-text index use; `video_id` is the key that people and feature files use.
    # `examined` holds the companions (captions, descriptions) of all its files when it was last
    # looked at; NULL: never.
    f"""
    CREATE TABLE videos (
        number      INTEGER PRIMARY KEY,
        video_id    TEXT NOT NULL UNIQUE,
        duration    REAL,
        info        TEXT,
        title       TEXT NOT NULL DEFAULT '',
        description TEXT NOT NULL DEFAULT '',
        examined    TEXT
    );
    CREATE TABLE files (
        path         BLOB PRIMARY KEY,
        number       INTEGER NOT NULL REFERENCES videos,
        size         INTEGER NOT NULL,
        mtime_ns     INTEGER NOT NULL,
        companions   TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX files_of_video ON files (number);
    CREATE TABLE narrations (
        number   INTEGER PRIMARY KEY REFERENCES videos,
        language TEXT,
        kind     TEXT NOT NULL,
        source   TEXT NOT NULL,
        recipe   TEXT NOT NULL,
        problems TEXT NOT NULL
    );
    CREATE TABLE lines (
        number   INTEGER NOT NULL REFERENCES videos,
        position INTEGER NOT NULL,
        start    REAL NOT NULL,
        end      REAL NOT NULL,
        text     TEXT NOT NULL,
        words    TEXT,
        PRIMARY KEY (number, position)
    ) WITHOUT ROWID;
    CREATE TABLE chapters (
        chapter INTEGER PRIMARY KEY,
        number  INTEGER NOT NULL REFERENCES videos,
        start   REAL NOT NULL,
        end     REAL NOT NULL,
        title   TEXT NOT NULL
    );
    CREATE INDEX chapters_of_video ON chapters (number);
    CREATE TABLE clips (
        clip    INTEGER PRIMARY KEY,
        number  INTEGER NOT NULL REFERENCES videos,
        start   REAL NOT NULL,
        end     REAL NOT NULL,
        caption TEXT NOT NULL
    );
    CREATE INDEX clips_of_video ON clips (number);
    CREATE TABLE outcomes (
        number INTEGER NOT NULL REFERENCES videos,
        stage  TEXT NOT NULL,
        state  TEXT NOT NULL,
        reason TEXT,
        detail TEXT NOT NULL,
        PRIMARY KEY (number, stage)
    ) WITHOUT ROWID;
    -- Contentless: the index alone, without a second copy of the text. Rows are taken out with the
    -- very text that was put in; howto.search.words does so before that text changes.
    CREATE VIRTUAL TABLE clip_words USING fts5 (
        caption, content='', tokenize={_TOKENS});
    CREATE VIRTUAL TABLE chapter_words USING fts5 (
        title, content='', tokenize={_TOKENS});
    CREATE VIRTUAL TABLE video_words USING fts5 (
        title, name, description, content='', tokenize={_TOKENS});
    -- The videos that are in the word index now, with the names that were put there.
    CREATE TABLE indexed_videos (
        number      INTEGER PRIMARY KEY REFERENCES videos,
        title       TEXT NOT NULL,
        name        TEXT NOT NULL,
        description TEXT NOT NULL
    );
    """,
    # How good a narration is; NULL where it was written before this was measured.
    """
    ALTER TABLE narrations ADD COLUMN num_words INTEGER;
    ALTER TABLE narrations ADD COLUMN words_per_second REAL;
    ALTER TABLE narrations ADD COLUMN non_speech_share REAL;
    ALTER TABLE narrations ADD COLUMN language_share REAL;
    ALTER TABLE narrations ADD COLUMN lines_outside INTEGER;
    """,
    # Pairs for training, apart from the clips that search returns. A set of pairs is known by its
    # recipe; first and last are the lines of the narration whose words the caption holds.
    """
    CREATE TABLE pair_sets (
        pair_set INTEGER PRIMARY KEY,
        recipe   TEXT NOT NULL UNIQUE
    );
    CREATE TABLE pairs (
        pair_set INTEGER NOT NULL REFERENCES pair_sets,
        number   INTEGER NOT NULL REFERENCES videos,
        position INTEGER NOT NULL,
        start    REAL NOT NULL,
        end      REAL NOT NULL,
        caption  TEXT NOT NULL,
        first    INTEGER NOT NULL,
        last     INTEGER NOT NULL,
        quality  REAL,
        PRIMARY KEY (pair_set, number, position)
    ) WITHOUT ROWID;
    """,
    # Which narration the pairs of a video were made from, also where it gave none: a changed
    # narration is seen by its recipe's short hash, and a caption of several candidates has one a
    # line.
    """
    CREATE TABLE paired_videos (
        pair_set  INTEGER NOT NULL REFERENCES pair_sets,
        number    INTEGER NOT NULL REFERENCES videos,
        narration TEXT NOT NULL,
        PRIMARY KEY (pair_set, number)
    ) WITHOUT ROWID;
    """,
    # What was chosen for the library as a whole, as JSON by the name of what it is for.
    """
    CREATE TABLE settings (
        name  TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) WITHOUT ROWID;
    """,
    # Features lie in files of their own; here is which there should be, and why others are not.
    # A set is known by its recipe. How long its videos were and took estimates the next run.
    """
    CREATE TABLE feature_sets (
        feature_set   INTEGER PRIMARY KEY,
        recipe        TEXT NOT NULL UNIQUE,
        video_seconds REAL NOT NULL DEFAULT 0,
        work_seconds  REAL NOT NULL DEFAULT 0
    );
    CREATE TABLE feature_files (
        feature_set  INTEGER NOT NULL REFERENCES feature_sets,
        number       INTEGER NOT NULL REFERENCES videos,
        state        TEXT NOT NULL,
        reason       TEXT,
        detail       TEXT NOT NULL,
        num_features INTEGER NOT NULL,
        PRIMARY KEY (feature_set, number)
    ) WITHOUT ROWID;
    """,
)

SCHEMA = len(_STEPS)


def is_current(connection: sqlite3.Connection, where: str) -> bool:
    """Whether a library has the newest schema; nothing is written.

    Args:
        where: the library, for the message.

    Raises:
        NewerLibrary: a newer howto wrote it.
    """
    found = _version(connection)
    if found > SCHEMA:
        raise NewerLibrary(
            f"the library {where} has schema {found}; howto {__version__} knows schemas up to "
            f"{SCHEMA}. Update howto: pip install --upgrade howto"
        )
    return found == SCHEMA


def migrate(connection: sqlite3.Connection, where: str) -> None:
    """Bring a library to the newest schema, each step whole or not at all.

    Args:
        connection: in autocommit mode.
        where: the library, for the message.

    Raises:
        NewerLibrary: a newer howto wrote it.
    """
    while not is_current(connection, where):
        step = _version(connection)
        # executescript commits first, so the transaction is opened within the script.
        connection.executescript(
            f"BEGIN IMMEDIATE; {_STEPS[step]} PRAGMA user_version = {step + 1}; COMMIT;"
        )


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version
