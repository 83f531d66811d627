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
    # What collect was asked for, found, and made of it: howto.collect.ledger. A candidate that is
    # open has the time (seconds since 1970) before which it is left alone, 0 for at once; NULL:
    # it is closed. One that is `done` and open lacks its media, and loses nothing if that fails.
    # `site` is who is asked: what is parked. `forgiven`: an attempt was once not counted.
    # `caption` and `media` are names of files that lie in their folders whole, but
    # for `caption` of a state before `captioned`, which is the name that it will have. `number` of
    # other tables is given by refresh, so that what waits here is no video of the library yet.
    """
    CREATE TABLE tasks (
        task     INTEGER PRIMARY KEY,
        name     TEXT NOT NULL COLLATE NOCASE,
        category TEXT NOT NULL,
        task_id  TEXT NOT NULL,
        query    TEXT NOT NULL,
        UNIQUE (name, task_id)
    );
    CREATE INDEX tasks_by_id ON tasks (task_id) WHERE task_id <> '';
    CREATE TABLE searches (
        source     TEXT NOT NULL,
        task       INTEGER NOT NULL REFERENCES tasks,
        top        INTEGER NOT NULL,
        not_before REAL,
        num_hits   INTEGER,
        attempts   INTEGER NOT NULL DEFAULT 0,
        forgiven   INTEGER NOT NULL DEFAULT 0,
        reason     TEXT,
        detail     TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (source, task)
    ) WITHOUT ROWID;
    CREATE INDEX open_searches ON searches (source, not_before, task) WHERE not_before IS NOT NULL;
    CREATE TABLE candidates (
        candidate  INTEGER PRIMARY KEY,
        video_id   TEXT NOT NULL UNIQUE,
        source     TEXT NOT NULL,
        site       TEXT NOT NULL,
        address    TEXT NOT NULL,
        title      TEXT NOT NULL,
        state      TEXT NOT NULL,
        not_before REAL,
        attempts   INTEGER NOT NULL DEFAULT 0,
        forgiven   INTEGER NOT NULL DEFAULT 0,
        reason     TEXT,
        detail     TEXT NOT NULL DEFAULT '',
        asked      TEXT NOT NULL DEFAULT '',
        caption    TEXT,
        media      TEXT
    );
    CREATE INDEX open_candidates ON candidates (source, not_before, candidate, site)
        WHERE not_before IS NOT NULL;
    CREATE INDEX ended_candidates ON candidates (state, reason);
    CREATE TABLE hits (
        candidate INTEGER NOT NULL REFERENCES candidates,
        task      INTEGER NOT NULL REFERENCES tasks,
        rank      INTEGER NOT NULL,
        PRIMARY KEY (candidate, task)
    ) WITHOUT ROWID;
    CREATE INDEX hits_by_rank ON hits (rank);
    CREATE TABLE descriptions (
        candidate   INTEGER PRIMARY KEY REFERENCES candidates,
        title       TEXT NOT NULL,
        description TEXT NOT NULL,
        duration    REAL,
        views       INTEGER,
        language    TEXT,
        license     TEXT NOT NULL,
        tags        TEXT NOT NULL,
        categories  TEXT NOT NULL,
        chapters    TEXT NOT NULL,
        channel     TEXT NOT NULL,
        uploaded    TEXT NOT NULL,
        num_words   INTEGER,
        num_lines   INTEGER,
        caption_kind   TEXT,
        caption_sha256 TEXT,
        media_sha256   TEXT,
        media_bytes    INTEGER
    );
    -- Lists of which every video is here, by a hash of their content.
    CREATE TABLE lists (fingerprint TEXT PRIMARY KEY) WITHOUT ROWID;
    CREATE TABLE parked (
        site   TEXT PRIMARY KEY,
        reason TEXT NOT NULL,
        detail TEXT NOT NULL,
        until  REAL NOT NULL,
        times  INTEGER NOT NULL
    );
    -- All that stays of a video that was forgotten; `files` are those not yet known to be deleted.
    CREATE TABLE tombstones (
        video_id TEXT PRIMARY KEY,
        why      TEXT NOT NULL,
        day      TEXT NOT NULL,
        files    TEXT NOT NULL
    ) WITHOUT ROWID;
    -- Files of the user's that hold forgotten videos, as they were when that was seen.
    CREATE TABLE ignored_files (
        path     BLOB PRIMARY KEY,
        size     INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL
    ) WITHOUT ROWID;
    """,
    # What a video's clips hold, as a hash, so that what is derived from them is seen to be old;
    # NULL where they were written before this was kept.
    """
    ALTER TABLE videos ADD COLUMN clips_hash TEXT;
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
