"""What search returns, and the one place where a narration is written with it.

A narration, its clips and the word index change together or not at all: everything that writes a
narration does so through `keep_narration`, inside `indexing`.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from howto.clip.lines import LinesClipper
from howto.clip.windows import silent_windows
from howto.library import Library
from howto.recipe import Recipe
from howto.records import Clip, Narration, Outcome, Stage, Video
from howto.search import words
from howto.transcribe.ask import Answer
from howto.transcribe.quality import measure

__all__ = ["indexing", "keep_answer", "keep_narration", "keep_nothing", "search_units"]


@contextmanager
def indexing(library: Library, video_id: str, path: str) -> Iterator[int]:
    """One transaction in which a video may change; it is in the word index as it is at the end.

    Args:
        path: of its first file, relative to the library's folder.

    Yields:
        The library's short key of the video; a new video is given one.
    """
    with library.writing() as connection:
        number = library.number_of(video_id)
        words.remove_video(connection, number)
        yield number
        words.add_video(connection, number, path)


def keep_narration(
    library: Library, number: int, video: Video, narration: Narration | None, recipe: Recipe
) -> None:
    """Replace the narration of a video and the clips that search returns. Call inside `indexing`.

    Args:
        video: with its info; without, it gets no clips.
        narration: None takes it away, and leaves windows in which nothing is said.
    """
    quality = None
    if narration is not None:
        quality = measure(narration, video.info.duration if video.info else None)
    library.put_narration(number, narration, recipe, quality)
    library.put_clips(number, search_units(video, narration))


def keep_answer(library: Library, video: Video, path: str, answer: Answer, recipe: Recipe) -> None:
    """Write what narration sources had for a video, and how asking them ended: one transaction.

    Args:
        path: of its first file, relative to the library's folder.
        recipe: of the narration.
    """
    with indexing(library, video.video_id, path) as number:
        if answer.narration is not None:
            keep_narration(library, number, video, answer.narration, recipe)
            library.clear_outcomes(number, Stage.ALIGN)  # that was of the words before
        library.put_outcome(number, answer.outcome)


def keep_nothing(library: Library, number: int, outcome: Outcome, recipe: Recipe) -> None:
    """Write that sources had nothing for a video that has a narration, which stays.

    Args:
        recipe: of that narration.
    """
    with library.writing() as connection:
        connection.execute(
            "UPDATE narrations SET recipe = ? WHERE number = ?", (recipe.text, number)
        )
        library.put_outcome(number, outcome)


def search_units(video: Video, narration: Narration | None) -> list[Clip]:
    """The clips that search returns: the narration's lines, and windows where nothing is said."""
    if video.info is None:
        return []
    lines = narration.lines if narration else ()
    clips = LinesClipper().pairs(narration, video) if narration else []
    silence = silent_windows(lines, video.info.duration)
    clips += [Clip(video.video_id, start, end, "") for start, end in silence]
    return sorted(clips, key=lambda clip: (clip.start, clip.end))
