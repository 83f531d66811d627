"""`howto eval`: numbers of a model on a benchmark, on your own videos, or of any score matrix."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from howto.cli.console import check_outputs, chosen_folder, errors, print_json, progress
from howto.errors import NoLibrary, UsageError
from howto.library import Library
from howto.search.phrases import counted

if TYPE_CHECKING:
    from howto.cli.eval_show import Report
    from howto.joint.opened import OpenedModel

__all__ = ["eval"]

EXIT_FAILED = 1
EXIT_STOPPED = 130
OWN = "own"
"""The name of the benchmark that is the library itself."""


def eval(
    scores: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.npy",
            help="Evaluate this matrix of scores: captions in rows, clips in columns.",
        ),
    ] = None,
    answers: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.npy",
            help="With --scores: the column that answers each row; by default row i has column i.",
        ),
    ] = None,
    videos: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.npy",
            help="With --scores: the video of each column, for the intervals.",
        ),
    ] = None,
    benchmark: Annotated[
        str | None,
        typer.Option(
            help="youcook2, msrvtt, lsmdc, crosstask, coin, moments:NAME, another installed one, "
            "or own: the library itself."
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(help="A run, or a ready joint model; with own any number, or none."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="The folder or file of the benchmark's annotations.")
    ] = None,
    library: Annotated[
        Path | None,
        typer.Option("--library", "-L", help="The library, by default this folder if it is one."),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            help="Of the benchmark; by default its first. With own: all, or held-out, the tenth of "
            "the videos that training holds out."
        ),
    ] = None,
    ties: Annotated[
        Literal["average", "optimistic", "pessimistic", "authors"],
        typer.Option(help="What a tie is worth; authors: as the published metric counts."),
    ] = "average",
    features: Annotated[
        Literal["ready", "library"] | None,
        typer.Option(
            help="Take clips by the features in the benchmark's files, or by the library's."
        ),
    ] = None,
    queries: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.csv", help="With own: what should be found: query, video, start, end."
        ),
    ] = None,
    meaning: Annotated[
        bool,
        typer.Option(
            "--meaning", help="With own: ask by the meaning of what is said, too (howto-sentence)."
        ),
    ] = False,
    extract: Annotated[
        bool, typer.Option("--extract", help="First make the features that the models lack.")
    ] = False,
    device: Annotated[
        str | None,
        typer.Option(help="Where networks compute: auto, cpu (the default), cuda, cuda:N or mps."),
    ] = None,
    weights: Annotated[
        str | None, typer.Option(help="Of a ready model: a path, or a name that it knows.")
    ] = None,
    trust_pickle: Annotated[
        bool,
        typer.Option(
            "--trust-pickle", help="Load the benchmark's pickles freely; they may run any code."
        ),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
    json_file: Annotated[
        Path | None, typer.Option(metavar="FILE.json", help="Also write the JSON here.")
    ] = None,
    per_query: Annotated[
        Path | None, typer.Option(metavar="FILE.csv", help="Write a row for each query.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Draw recall, with its interval.")
    ] = None,
    state_dir: Annotated[
        Path | None, typer.Option(help="Where the library keeps what howto knows.")
    ] = None,
) -> None:
    """Say how good a model is: on a benchmark, on your own videos, or by its scores.

    Published results are printed beside those of a benchmark. Intervals are 95 per cent, from
    resampling videos. Nothing is downloaded.

    Example:  howto eval --benchmark own --queries queries.csv -L my_videos/
    """
    models = tuple(model or ())
    _refuse(
        {"--answers": answers, "--videos": videos},
        {
            "--benchmark": benchmark,
            "--model": models or None,
            "--data": data,
            "--library": library,
            "--split": split,
            "--features": features,
            "--queries": queries,
            "--meaning": meaning or None,
            "--extract": extract or None,
            "--device": device,
            "--weights": weights,
            "--trust-pickle": trust_pickle or None,
            "--state-dir": state_dir,
        },
        scores,
    )
    check_outputs({"--json-file": json_file, "--per-query": per_query, "--plot": plot})
    if scores is not None:
        from howto.cli.eval_show import scores_report
        from howto.evaluate.scores import evaluate_scores

        report = scores_report(scores, evaluate_scores(scores, answers, videos, ties=ties))
    else:
        asked = _Asked(
            benchmark or "", models, data, split, ties, features, queries, meaning, trust_pickle
        )
        asked.check()
        if not models:
            _refuse_without_models(extract=extract, device=device, weights=weights)
        with ExitStack() as stack:
            found = _library(stack, library, state_dir, is_needed=benchmark == OWN)
            if found is not None and features != "ready":
                _refresh(found)
            ready = [_model(found, name, device or "cpu", weights) for name in models]
            if extract:
                _extract(found, ready)
            elif found is not None and benchmark == OWN:
                _say_missing(found, ready)
            report = _evaluated(asked, found, ready)
    if json:
        print_json(report.json)
    else:
        report.show()
    if json_file is not None:
        report.write_json(json_file)
    if per_query is not None:
        report.write_queries(per_query)
    if plot is not None:
        report.draw(plot)
    if report.is_partial:
        raise typer.Exit(EXIT_FAILED)


def _refuse(with_scores: dict[str, Any], without: dict[str, Any], scores: Path | None) -> None:
    """Refuse options that mean nothing together.

    Args:
        with_scores: options that go with --scores alone; None: not given.
        without: options that do not go with it.
    """
    benchmark = without["--benchmark"]
    if scores is None and benchmark is None:
        raise UsageError("say what to evaluate: --benchmark NAME, or --scores FILE.npy")
    odd = without if scores is not None else with_scores
    given = [name for name, value in odd.items() if value is not None]
    if given:
        which = "does not go with --scores" if scores is not None else "goes with --scores"
        raise UsageError(f"{given[0]} {which}")


def _refuse_without_models(*, extract: bool, device: str | None, weights: str | None) -> None:
    given = {"--extract": extract, "--device": device, "--weights": weights}
    for name, value in given.items():
        if value:
            raise UsageError(f"{name} is about models, and none is named with --model")


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is to be evaluated, as the options say."""

    benchmark: str
    models: tuple[str, ...]
    data: Path | None
    split: str | None
    ties: Literal["average", "optimistic", "pessimistic", "authors"]
    features: Literal["ready", "library"] | None
    queries: Path | None
    meaning: bool
    trust_pickle: bool

    def check(self) -> None:
        """Refuse what this benchmark cannot use.

        Raises:
            UsageError: as it says.
        """
        if self.benchmark == OWN:
            from howto.evaluate.own_split import share_of

            for name, value in (
                ("--data", self.data),
                ("--features", self.features),
                ("--ties", None if self.ties == "average" else self.ties),
            ):
                if value is not None:
                    raise UsageError(f"{name} does not go with --benchmark own")
            share_of(self.split)
            return
        if self.queries is not None:
            raise UsageError("--queries goes with --benchmark own")
        if self.meaning:
            raise UsageError("--meaning goes with --benchmark own")
        if len(self.models) != 1:
            raise UsageError(
                f"--benchmark {self.benchmark} evaluates one model; name it with --model, a run or"
                " a ready one (`howto models` lists them)"
            )
        self.place()

    def place(self) -> Path:
        """Where the benchmark's files are. Raises UsageError where nobody said."""
        if self.data is None:
            raise UsageError(
                f"--benchmark {self.benchmark} needs its annotations; name the folder or file with"
                " --data PATH. Nothing is downloaded"
            )
        return self.data


def _library(
    stack: ExitStack, library: Path | None, state_dir: Path | None, *, is_needed: bool
) -> Library | None:
    """The library; None where none is named and the current folder is none."""
    place = chosen_folder(None, library)
    try:
        return stack.enter_context(Library.open(place, state_dir, create=is_needed))
    except NoLibrary:
        if library is None:
            return None
        return stack.enter_context(Library.open(place, state_dir))


def _refresh(library: Library) -> None:
    from howto.search.refresh import refresh

    try:
        with progress("Looking at new files") as show:
            refresh(library, on_progress=show, on_wait=_waiting)
    except KeyboardInterrupt:
        raise _stopped() from None


def _waiting() -> None:
    errors.print("Another howto is at work on this library; waiting for it.", style="dim")


def _stopped() -> typer.Exit:
    errors.print("Stopped. What is done is kept; run the same command to go on.")
    return typer.Exit(EXIT_STOPPED)


def _model(library: Library | None, name: str, device: str, weights: str | None) -> "OpenedModel":
    from howto.joint.opened import open_model

    return open_model(library, name, device=device, weights=weights)


def _extract(library: Library | None, models: "list[OpenedModel]") -> None:
    from howto.joint.opened import make_features, missing_features

    if library is None:
        raise UsageError("--extract: name the library that holds the videos, with -L")
    for model in models:
        if not missing_features(library, model):
            continue
        try:
            with progress(f"Extracting for {model.name}") as show:
                make_features(library, model, on_progress=show, on_wait=_waiting)
        except KeyboardInterrupt:
            raise _stopped() from None


def _say_missing(library: Library, models: "list[OpenedModel]") -> None:
    from howto.joint.opened import missing_features

    for model in models:
        if missing := len(missing_features(library, model)):
            errors.print(
                f"Note: {counted(missing, 'video')} without features for {model.name};"
                " --extract makes them",
            )


def _evaluated(asked: _Asked, library: Library | None, models: "list[OpenedModel]") -> "Report":
    from howto.cli.eval_show import benchmark_report, own_report

    if asked.benchmark == OWN and library is not None:
        from howto.evaluate.best_signals import keep_chosen
        from howto.evaluate.own import evaluate_own
        from howto.evaluate.own_split import share_of

        share = share_of(asked.split)
        with progress("Evaluating") as show:
            found = evaluate_own(
                library,
                models,
                queries=asked.queries,
                meaning=asked.meaning,
                share=share,
                on_progress=show,
            )
        # Plain searches are of all videos, so a part of these does not choose for them.
        if not models or share < 1:
            return own_report(found)
        return own_report(found, keep_chosen(library, found, models, queries=asked.queries))
    from howto.evaluate.benchmark import evaluate_benchmark

    with progress(f"Evaluating {models[0].name}") as show:
        result = evaluate_benchmark(
            asked.benchmark,
            models[0],
            data=asked.place(),
            library=library,
            split=asked.split,
            ties=asked.ties,
            features=None if asked.features is None else asked.features == "ready",
            trust_pickle=asked.trust_pickle,
            on_progress=show,
        )
    return benchmark_report(result, models[0])
