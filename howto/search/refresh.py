"""Bringing a library up to date with its folder: new, changed, renamed and removed files.

Each video is committed by itself when it is done, so a run that is killed goes on where it stopped,
and a run that finds nothing changed reads the folder and one table and is done.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from howto.collect.examine import Findings, Task, content_id, examine
from howto.collect.kept import Known, info_without_media, known_of, scan_library
from howto.collect.scan import FoundFile
from howto.errors import Reason
from howto.library import FileRow, Library
from howto.records import MediaInfo, Outcome, Stage, State, Video
from howto.search import words
from howto.search.units import indexing, keep_narration
from howto.transcribe.ask import QUICK_SOURCES, Wish
from howto.transcribe.choice import Choice, quick, remembered
from howto.transcribe.quality import measure, with_enough_words

if TYPE_CHECKING:
    from howto.run.local import Ended

_UNREADABLE = "unreadable-"

__all__ = ["Progress", "Refreshed", "refresh"]

Progress = Callable[[int, int, str], None]
"""Called with files done, files to do, and the path just finished."""


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What changed in the folder since the last time.

    Attributes:
        new, changed, renamed, removed: files.
        unreadable: relative paths of the folders that cannot be read now.
    """

    new: int = 0
    changed: int = 0
    renamed: int = 0
    removed: int = 0
    unreadable: tuple[str, ...] = ()

    @property
    def work_done(self) -> bool:
        """Anything at all was done."""
        return any((self.new, self.changed, self.renamed, self.removed))


def refresh(
    library: Library,
    *,
    workers: int | None = None,
    retry: bool = False,
    on_progress: Progress | None = None,
    on_wait: Callable[[], None] | None = None,
) -> Refreshed:
    """Bring the library up to date.

    Args:
        workers: processes that look at new files; by default one for each core.
        retry: look again at the files that failed.
        on_wait: called once where another process is doing the same and is waited for.

    Raises:
        LibraryBusy: another process has been doing this for an hour.
    """
    unreadable: list[str] = []
    if not _differences(library, scan_library(library, unreadable=unreadable), retry):
        return Refreshed(unreadable=tuple(unreadable))
    with library.exclusive("refresh", on_wait=on_wait):
        # Looked at again: another process may have done it all while we waited.
        found = scan_library(library)
        show = on_progress or (lambda *_: None)
        done = _bring_up_to_date(library, found, workers, retry, show)
        return replace(done, unreadable=tuple(unreadable))


def _differences(library: Library, found: list[FoundFile], retry: bool) -> bool:
    known = library.files()
    return len(found) != len(known) or bool(_fresh(library, found, known, retry))


def _fresh(
    library: Library, found: list[FoundFile], known: dict[str, FileRow], retry: bool
) -> set[str]:
    """Paths of the files that are new, or not as they were, or could not be read but can be now."""
    failed = library.failed_numbers() if retry else set()
    unreadable = library.numbers_like(f"{_UNREADABLE}%")
    fresh = set()
    for file in found:
        row = known.get(file.path)
        if row is not None:
            now = FileRow(file.path, row.number, file.size, file.mtime_ns, file.companions)
            # Giving a permission back leaves size and time as they are.
            readable = row.number in unreadable and os.access(library.folder / file.path, os.R_OK)
            if row == now and not readable and row.number not in failed:
                continue
        fresh.add(file.path)
    return fresh


def _bring_up_to_date(
    library: Library,
    found: list[FoundFile],
    workers: int | None,
    retry: bool,
    on_progress: Progress,
) -> Refreshed:
    choice = remembered(library)
    known = library.files()
    gone = known.keys() - {file.path for file in found}
    fresh = _fresh(library, found, known, retry)
    jobs = _jobs(library, found, known, gone, fresh, quick(choice.wish), on_progress)
    for done, (job, ended) in enumerate(_ends(jobs, workers), start=1):
        _commit(library, job, ended, choice)
        on_progress(done, len(jobs), job.files[0].path)
    if gone:
        _forget(library, gone)
    return _summary(known, gone, jobs)


@dataclass(frozen=True, slots=True)
class _Job:
    """A video with files that are new, changed or renamed.

    Attributes:
        number: the library's short key of it, None where it is new.
        fresh: those of its files that are new or changed.
        files: all its files that are there now, by path.
        task: what to find out; None where the library already knows all about this content.
        unreadable: why its bytes cannot be read, or ''.
    """

    video_id: str
    number: int | None
    fresh: tuple[FoundFile, ...]
    files: tuple[FoundFile, ...]
    task: Task | None
    unreadable: str = ""


def _jobs(
    library: Library,
    found: list[FoundFile],
    known: dict[str, FileRow],
    gone: Set[str],
    fresh: Set[str],
    wish: Wish,
    on_progress: Progress,
) -> list[_Job]:
    """Group what is new by content: the same content at two paths is one video."""
    bereft = {known[path].number for path in gone}
    groups: dict[str, list[FoundFile]] = {}
    forgotten = library.forgotten()
    unreadable: dict[str, str] = {}
    unchanged: dict[int, list[FoundFile]] = {}
    for file in found:
        row = known.get(file.path)
        if row is not None and file.path not in fresh and row.number not in bereft:
            unchanged.setdefault(row.number, []).append(file)
            continue
        on_progress(0, len(fresh), file.path)
        try:
            video_id = file.video_id or content_id(library.folder / file.path)
        except FileNotFoundError:
            continue  # gone since the scan; the next refresh sees that
        except OSError as error:
            # No content to be known by: its path stands for it until it can be read.
            name = hashlib.sha256(os.fsencode(file.path)).hexdigest()
            video_id = f"{_UNREADABLE}{name[:16]}"
            unreadable[video_id] = error.strerror or str(error)
        if video_id in forgotten:
            _ignore(library, file)
            continue
        groups.setdefault(video_id, []).append(file)
    numbers = library.numbers(groups)
    jobs = []
    for video_id, files in groups.items():
        number = numbers.get(video_id)
        others = unchanged.get(number, []) if number is not None else []
        together = tuple(sorted([*files, *others], key=lambda file: file.path))
        reason = unreadable.get(video_id, "")
        task = None if reason else _task(library, video_id, together, wish)
        jobs.append(_Job(video_id, number, tuple(files), together, task, reason))
    return jobs


def _ignore(library: Library, file: FoundFile) -> None:
    """Pass over a file of the user's that holds a forgotten video, until the file changes."""
    with library.writing():
        library.forget_files([file.path])
        library.ignore_file(file.path, file.size, file.mtime_ns)


def _task(library: Library, video_id: str, files: tuple[FoundFile, ...], wish: Wish) -> Task | None:
    companions = "\n".join(filter(None, (file.companions for file in files)))
    if library.examined(video_id) == companions and not library.has_failed(video_id):
        return None
    places = [(library.folder / file.path, file) for file in files]
    described = [path.with_name(file.info_json) for path, file in places if file.info_json]
    collected = next((file for file in files if file.video_id), None)
    known = known_of(library, collected) if collected else None
    return Task(
        video=Video(
            video_id,
            places[0][0],
            captions=tuple(path.parent / name for path, file in places for name in file.captions),
            info=_info(library, video_id, known),
        ),
        info_json=described[0] if described else None,
        companions=companions,
        wish=wish,
        known=known,
    )


def _info(library: Library, video_id: str, known: Known | None) -> MediaInfo | None:
    """What need not be found out by probing: what was, or what stands for it without media."""
    if known is not None and not known.has_media:
        return info_without_media(known.duration or 0.0)
    info = library.info(video_id)
    return info if info is None or info.video_codec else None


def _ends(
    jobs: list[_Job], workers: int | None
) -> Iterator[tuple[_Job, "Ended[Task, Findings] | None"]]:
    """Every job with how looking at it ended; None where there was nothing to find out."""
    for job in jobs:
        if job.task is None:
            yield job, None
    of_video = {job.video_id: job for job in jobs}
    tasks = [job.task for job in jobs if job.task is not None]
    if tasks:
        from howto.run.local import run_local

        for ended in run_local(examine, tasks, workers=workers):
            yield of_video[ended.item.video.video_id], ended


def _commit(
    library: Library, job: _Job, ended: "Ended[Task, Findings] | None", choice: Choice
) -> None:
    """Write all that is known about one video, and put it into the word index: one transaction."""
    with indexing(library, job.video_id, job.files[0].path) as number:
        before = [library.number_of_file(file.path) for file in job.files]
        for file in job.files:
            library.put_file(FileRow(file.path, number, file.size, file.mtime_ns, file.companions))
        for other in {other for other in before if other is not None} - {number}:
            words.remove_if_absent(library.connection, other)
        if job.unreadable:
            _put_failure(library, number, job, Reason.UNREADABLE_FILE, job.unreadable)
        elif ended is not None and ended.result is not None:
            _put_findings(library, number, ended.item, ended.result, choice)
        elif ended is not None and ended.reason is not None:
            _put_failure(library, number, job, ended.reason, ended.detail)


def _put_findings(
    library: Library, number: int, task: Task, findings: Findings, choice: Choice
) -> None:
    library.put_video(number, findings.info, findings.title, findings.description, task.companions)
    library.put_chapters(number, findings.chapters)
    kept = library.narration_source(number)
    if kept is not None and kept not in QUICK_SOURCES:
        # A recogniser listened for a long time: a file that changed beside it undoes nothing, but
        # for captions that are wanted more.
        found = str(findings.recipe.parts["source"])
        if findings.narration is None or _is_before(kept, found, choice.wish.sources):
            return
    video = replace(task.video, info=findings.info)
    keep_narration(library, number, video, findings.narration, findings.recipe)
    library.clear_outcomes(number)
    quality = measure(findings.narration, None) if findings.narration else None
    for outcome in findings.outcomes:
        if outcome.stage == Stage.TRANSCRIBE:
            outcome = with_enough_words(outcome, quality, choice.min_words)
        library.put_outcome(number, outcome)


def _is_before(kept: str, found: str, sources: tuple[str, ...]) -> bool:
    return kept in sources and found in sources and sources.index(kept) < sources.index(found)


def _put_failure(library: Library, number: int, job: _Job, reason: Reason, detail: str) -> None:
    # Where it had been probed before, what failed was to read its captions.
    probed = job.task is not None and job.task.video.info is not None
    stage = Stage.TRANSCRIBE if probed else Stage.PROBE
    library.put_outcome(number, Outcome(job.video_id, stage, State.FAILED, reason, detail))


def _forget(library: Library, gone: Set[str]) -> None:
    known = library.files()
    with library.writing() as connection:
        library.forget_files(gone)
        for number in {known[path].number for path in gone}:
            words.remove_if_absent(connection, number)


def _summary(known: dict[str, FileRow], gone: Set[str], jobs: list[_Job]) -> Refreshed:
    """Tell a renamed file from a new one: its video lost a path and won another."""
    lost = Counter(known[path].number for path in gone)
    arrived = changed = renamed = 0
    for job in jobs:
        new = sum(file.path not in known for file in job.files)
        arrived += new
        renamed += min(new, lost[job.number]) if job.number is not None else 0
        changed += sum(file.path in known for file in job.fresh)
    return Refreshed(arrived - renamed, changed, renamed, len(gone) - renamed)
