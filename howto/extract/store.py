"""Which features a library has, and why others are not there: rows of library.db beside the files.

A feature set is known by its recipe. A row says how one video ended for one set; the features
themselves lie in a file (`howto.extract.features`), and a row without its file counts for nothing.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from howto.errors import Reason
from howto.library import Library
from howto.recipe import Recipe
from howto.records import State

__all__ = [
    "FEATURES_AT",
    "IN_LIBRARY",
    "READY_SETS",
    "SetEnd",
    "StoredFeatures",
    "feature_sets",
    "features_root",
    "put_features_at",
]

FEATURES_AT = "features_at"
"""The library's setting: the address at which its feature files lie; absent: in its own folder."""

IN_LIBRARY = "library"

READY_SETS = "joint:"
"""How the names of sets begin that ready joint models made: embeddings, nothing to train on."""


@dataclass(frozen=True, slots=True)
class SetEnd:
    """How one video ended for one feature set.

    Attributes:
        num_features: in its file; 0 where there is none.
    """

    state: State
    reason: Reason | None = None
    detail: str = ""
    num_features: int = 0


class StoredFeatures:
    """The rows of one feature set. Call everything that writes inside `Library.writing()`."""

    def __init__(self, library: Library, recipe: Recipe) -> None:
        self.library = library
        self.recipe = recipe
        self._root = features_root(library)

    @property
    def backbone(self) -> str:
        """The name of the backbone."""
        return str(self.recipe.parts["backbone"])

    @property
    def folder(self) -> Path:
        """Where its files lie."""
        from howto.extract.features import set_folder

        return set_folder(self._root, self.backbone, self.recipe)

    def path(self, video_id: str) -> Path:
        """Where the features of a video lie, or would."""
        from howto.extract.features import feature_path

        return feature_path(self._root, self.backbone, self.recipe, video_id)

    @property
    def key(self) -> int | None:
        """The library's short key of the set; None while nothing was written."""
        row = self.library.connection.execute(
            "SELECT feature_set FROM feature_sets WHERE recipe = ?", (self.recipe.text,)
        ).fetchone()
        return row[0] if row else None

    def ends(self) -> dict[int, SetEnd]:
        """How every video ended, by its number."""
        rows = self.library.connection.execute(
            "SELECT number, state, reason, detail, num_features FROM feature_files"
            " WHERE feature_set = ?",
            (self.key,),
        )
        # Of a million videos most ended alike: equal ends are one object.
        alike: dict[SetEnd, SetEnd] = {}
        ends = {}
        for number, state, reason, detail, count in rows:
            end = SetEnd(State(state), Reason(reason) if reason else None, detail, count)
            ends[number] = alike.setdefault(end, end)
        return ends

    def put(self, number: int, end: SetEnd) -> None:
        """Remember how a video ended."""
        self.library.connection.execute(
            "INSERT OR IGNORE INTO feature_sets (recipe) VALUES (?)", (self.recipe.text,)
        )
        detail = end.detail.encode(errors="replace").decode()
        self.library.connection.execute(
            "INSERT OR REPLACE INTO feature_files VALUES (?, ?, ?, ?, ?, ?)",
            (self.key, number, end.state, end.reason, detail, end.num_features),
        )

    def take_out(self, number: int) -> None:
        """Forget how a video ended, so that it is done again."""
        self.library.connection.execute(
            "DELETE FROM feature_files WHERE feature_set = ? AND number = ?", (self.key, number)
        )

    def add_work(
        self, video_seconds: float, work_seconds: float, on: Literal["local", "ray"] = "local"
    ) -> None:
        """Remember how long videos were, and how long it took to make their features; on a cluster
        apart from here."""
        if on == "ray":
            videos, work = self._work_on_ray()
            told = json.dumps([videos + video_seconds, work + work_seconds])
            self.library.put_setting(self._on_ray, told)
            return
        self.library.connection.execute(
            "UPDATE feature_sets SET video_seconds = video_seconds + ?,"
            " work_seconds = work_seconds + ? WHERE recipe = ?",
            (video_seconds, work_seconds, self.recipe.text),
        )

    def speed(self, on: Literal["local", "ray"] = "local") -> float | None:
        """Seconds of video a second of work, as measured before, here or on a cluster; None: not
        yet."""
        if on == "ray":
            videos, work = self._work_on_ray()
            return videos / work if work > 0 else None
        row = self.library.connection.execute(
            "SELECT video_seconds / work_seconds FROM feature_sets"
            " WHERE recipe = ? AND work_seconds > 0",
            (self.recipe.text,),
        ).fetchone()
        return row[0] if row else None

    @property
    def _on_ray(self) -> str:
        return f"work_on_ray:{self.recipe.short}"

    def _work_on_ray(self) -> tuple[float, float]:
        videos, work = json.loads(self.library.setting(self._on_ray) or "[0, 0]")
        return videos, work


def features_root(library: Library) -> Path:
    """Where the feature files of a library lie: its own folder, or an address.

    Raises:
        UsageError: the address cannot be used here.
    """
    from howto.extract.storage import place_of

    address = library.setting(FEATURES_AT)
    return library.state / "features" if address is None else place_of(address)


def put_features_at(library: Library, address: str) -> Path:
    """Keep feature files at another place from now on; what lies elsewhere stays there, unused.

    Args:
        address: a folder, an address such as s3://bucket/films, or `library` for its own folder.

    Returns:
        The place.

    Raises:
        UsageError: an address that cannot be used here.
        LibraryError: its server does not answer, or it may not be written.
    """
    from howto.extract.storage import check_place, place_of

    if address == IN_LIBRARY:
        place = library.state / "features"
    else:
        place = place_of(address)
        check_place(place)
        address = str(place)
    with library.writing():
        if address == IN_LIBRARY:
            library.connection.execute("DELETE FROM settings WHERE name = ?", (FEATURES_AT,))
        else:
            library.put_setting(FEATURES_AT, address)
    return place


def feature_sets(library: Library) -> list[tuple[StoredFeatures, Mapping[str, int]]]:
    """All feature sets of a library, oldest first, with how many videos ended in each way.

    Returns:
        Of each set the videos by reason, `ok` for those with features.
    """
    found = [
        StoredFeatures(library, Recipe(text))
        for (text,) in library.connection.execute(
            "SELECT recipe FROM feature_sets ORDER BY feature_set"
        )
    ]
    counts = library.connection.execute(
        "SELECT recipe, coalesce(reason, state), count(*) FROM feature_files"
        " JOIN feature_sets USING (feature_set) GROUP BY recipe, coalesce(reason, state)"
        " ORDER BY count(*) DESC"
    ).fetchall()
    return [
        (stored, {name: count for text, name, count in counts if text == stored.recipe.text})
        for stored in found
    ]
