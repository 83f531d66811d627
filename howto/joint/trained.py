"""Which videos a run was trained on, so that nobody evaluates it on them by mistake."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from howto.library import Library
from howto.train.runs import CONFIG

__all__ = ["Selected", "TrainedOn", "trained_on"]

_ADDED = "it was trained elsewhere, on videos that nothing here names"


@dataclass(frozen=True, slots=True)
class TrainedOn:
    """Videos that a model was trained on, or may have been.

    Attributes:
        note: what they do not tell, for people; '' where they are exactly these.
        held_out: those that it was evaluated on meanwhile, or may have been.
    """

    video_ids: frozenset[str]
    note: str = ""
    held_out: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Selected:
    """A checkpoint that was chosen as the best of its run.

    Attributes:
        checkpoint: its name.
        video_ids: of the held-out videos that it was chosen by, or may have been. It was not
            trained on them, and still may do a little better there than on others.
    """

    checkpoint: str
    video_ids: frozenset[str]


def trained_on(folder: Path, config: Mapping[str, Any], library: Library | None) -> TrainedOn:
    """What a run's pack says; where the pack has changed or is gone, rather too many than too few.

    Args:
        folder: of the run; its pack lies in the same state folder.
        config: of the run.
        library: the videos that may be meant where the pack is gone.
    """
    if config.get("added"):
        return TrainedOn(frozenset(), _ADDED)
    own = _of_pack(folder, config, library)
    init = config["options"].get("init")
    if not init:
        return own
    start = folder.parent / str(init) / CONFIG
    if not start.is_file():
        return _joined(own, TrainedOn(frozenset(), f"it started from {init}: {_ADDED}"))
    return _joined(own, trained_on(start.parent, json.loads(start.read_bytes()), library))


def _joined(one: TrainedOn, other: TrainedOn) -> TrainedOn:
    notes = dict.fromkeys(filter(None, (one.note, other.note)))
    held = one.held_out | other.held_out
    return TrainedOn(one.video_ids | other.video_ids, "; ".join(notes), held)


def _of_pack(folder: Path, config: Mapping[str, Any], library: Library | None) -> TrainedOn:
    # Here, because a search opens runs and asks for none of this.
    from howto.train.pack import fraction
    from howto.train.validate import held_out, stable_share

    path = folder.parent.parent / "packs" / str(config["pack"]) / "video_ids.json"
    options = config["options"]
    share = options["held_out"] if options["validate"] == "own" else 0.0
    if not path.is_file():
        ids = _videos_of(library)
        kept = frozenset(one for one in ids if stable_share(one) >= share)
        note = "its pack is gone: all videos that are not held out by their ids"
        return TrainedOn(kept, note, frozenset(ids) - kept)
    ids = json.loads(path.read_bytes())
    held = held_out(ids, share) if share else np.zeros(len(ids), bool)
    trains = [one for one, is_held in zip(ids, held, strict=True) if not is_held]
    if options["fraction"] < 1 and options["rank_at_most"] is None:
        chosen = fraction(trains, options["fraction"])
        trains_in_part = [one for one, is_in in zip(trains, chosen, strict=True) if is_in]
    else:
        trains_in_part = trains
    if len(trains_in_part) == config["videos"] and int(held.sum()) == config["held_out"]:
        return TrainedOn(frozenset(trains_in_part), held_out=frozenset(ids) - frozenset(trains))
    # Of few videos the two with the lowest shares are held out, and which these are has changed.
    safe = frozenset(one for one in ids if stable_share(one) >= share)
    note = "its pack has changed since: all videos that it might have had"
    return TrainedOn(safe, note, frozenset(ids) - safe)


def _videos_of(library: Library | None) -> list[str]:
    if library is None:
        return []
    rows = library.connection.execute("SELECT video_id FROM videos")
    return [video_id for (video_id,) in rows]
