"""Evaluate a matrix of scores that somebody else's model made, from .npy files."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from howto.errors import UsageError
from howto.evaluate.ranks import Ties
from howto.evaluate.retrieval import RetrievalResult, result_of_scores

__all__ = ["evaluate_scores", "read_array"]


def evaluate_scores(
    scores: Path,
    answers: Path | None = None,
    videos: Path | None = None,
    *,
    ties: Ties = "average",
) -> RetrievalResult:
    """Evaluate a file of scores, without loading it whole.

    Args:
        scores: a .npy (Q, N), captions in rows and clips in columns; higher is better.
        answers: a .npy of whole numbers (Q,), the column that answers each row; None: row i has
            column i.
        videos: a .npy (N,) of numbers or names, the video of each column, for the intervals; None:
            each column is a video of its own.

    Raises:
        UsageError: a file is missing or no .npy of plain numbers; shapes do not fit; a row has no
            answer; a score is a NaN. With the file, and the row where there is one.
    """
    table = read_array(scores)
    columns = None if answers is None else read_array(answers)
    groups = None if videos is None else read_array(videos)
    if columns is None and table.ndim == 2 and table.shape[0] > table.shape[1]:
        raise UsageError(
            f"{scores}: {table.shape[0]} rows and {table.shape[1]} columns, so not every row has"
            " the column of its own number as answer; say which with --answers ANSWERS.npy"
        )
    try:
        return result_of_scores(table, columns, videos=groups, ties=ties)
    except ValueError as error:
        names = ", ".join(str(path) for path in (scores, answers, videos) if path is not None)
        raise UsageError(f"{names}: {error}") from error


def read_array(path: Path) -> NDArray[np.generic]:
    """Map the array of a .npy file into memory, read only. Nothing in it is executed.

    Raises:
        UsageError: it is missing, or no .npy of plain numbers or text.
    """
    try:
        mapped = np.lib.format.open_memmap(path, mode="r")
    except FileNotFoundError as error:
        raise UsageError(f"there is no file {path}") from error
    except (OSError, ValueError, EOFError) as error:
        raise UsageError(
            f"{path}: no .npy file of plain numbers ({error}). Write one with numpy.save(FILE,"
            " array)"
        ) from error
    return np.asarray(mapped)
