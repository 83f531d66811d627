"""`howto models`: which joint models there are; fetch the weights of one, or add a checkpoint."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from howto.cli.console import errors, output, plain_table, print_json
from howto.errors import NoLibrary, UsageError
from howto.library import Library

if TYPE_CHECKING:
    from howto.joint.known import ModelInfo

__all__ = ["models"]

MB = 1_000_000


def models(
    action: Annotated[
        Literal["list", "fetch", "add"], typer.Argument(help="list, fetch or add.")
    ] = "list",
    what: Annotated[
        str | None,
        typer.Argument(help="Fetch: the model's name. Add: the file of the authors' checkpoint."),
    ] = None,
    library: Annotated[
        Path | None, typer.Option("--library", "-L", help="The library, by default this folder.")
    ] = None,
    word_vectors: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Add: GoogleNews-vectors-negative300.bin."),
    ] = None,
    name: Annotated[str, typer.Option(help="Add: what the run is to be called.")] = "howto100m",
    max_words: Annotated[
        int, typer.Option(help="Add: words of a caption that count; the authors' scripts have 20.")
    ] = 20,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Fetch: say what would be fetched, and fetch nothing.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
    state_dir: Annotated[
        Path | None, typer.Option(help="Where the library keeps what howto knows.")
    ] = None,
) -> None:
    """List the joint models that search, eval and locate can use; get more of them.

    There are the runs of the library, ready models of plugins, and the HowTo100M authors'
    checkpoint, which `add` makes a run of, without training. Nothing is fetched unless `fetch`
    is said.

    Example:  howto models fetch clip:ViT-B-32.openai --dry-run
    """
    _refuse(action, what, word_vectors, dry_run=dry_run)
    if action == "add" and what is not None and word_vectors is not None:
        with Library.open(library or Path(), state_dir) as opened:
            _add(opened, Path(what), word_vectors, name, max_words, json=json)
        return
    opened_or_none = _library(library, state_dir)
    if action == "fetch" and what is not None:
        _fetch(opened_or_none, what, dry_run=dry_run, json=json)
    else:
        _list(opened_or_none, json=json)


def _refuse(action: str, what: str | None, word_vectors: Path | None, *, dry_run: bool) -> None:
    if action == "fetch" and what is None:
        raise UsageError("name the model: howto models fetch NAME (`howto models` lists them)")
    if action == "add" and (what is None or word_vectors is None):
        raise UsageError(
            "name the checkpoint and its word vectors: howto models add howto100m_pt_model.pth "
            "--word-vectors GoogleNews-vectors-negative300.bin"
        )
    if action == "list" and what is not None:
        raise UsageError(f"list takes no {what!r}; fetch takes a name, add a file")
    if action != "add" and word_vectors is not None:
        raise UsageError("--word-vectors goes with add")
    if action != "fetch" and dry_run:
        raise UsageError("--dry-run goes with fetch")


def _library(folder: Path | None, state_dir: Path | None) -> Library | None:
    """The library meant; None where none is named and this folder has none."""
    try:
        return Library.open(folder or Path(), state_dir, create=False)
    except NoLibrary:
        if folder is not None or state_dir is not None:
            raise
        return None


# list


def _list(library: Library | None, *, json: bool) -> None:
    from howto.joint.known import known_models

    found = known_models(library)
    if json:
        print_json([_as_json(one) for one in found])
        return

    names = ("model", "kind", "dim", "MB", "licence", "weights")
    # A name is what is copied from here: it stays in one piece wherever that leaves room.
    table = plain_table(*names, right=("dim", "MB"), whole=("model", "kind"))
    for one in found:
        table.add_row(*_row(one))
    output.print(table)
    if library is None:
        errors.print("This folder has no library, so there are no runs; name one: -L DIR")
    output.print()
    output.print(
        "Get the weights of a ready model: howto models fetch NAME (--dry-run says what and from "
        "where). Train your own: howto train",
    )


def _row(one: "ModelInfo") -> list[str]:
    return [
        one.name,
        one.kind,
        "" if one.dim is None else str(one.dim),
        "" if one.size is None else f"{one.size / MB:,.1f}" if one.size < MB else _whole(one.size),
        one.licence,
        _place(one),
    ]


def _whole(size: int) -> str:
    return f"{size / MB:,.0f}"


def _place(one: "ModelInfo") -> str:
    if one.kind == "run":
        return one.note or "here"
    place = "here" if one.where is not None else "to fetch" if one.page else ""
    return "; ".join(filter(None, (place, one.note)))


def _as_json(one: "ModelInfo") -> dict[str, Any]:
    return {
        "name": one.name,
        "kind": one.kind,
        "dim": one.dim,
        "bytes": one.size,
        "licence": one.licence,
        "here": one.is_here,
        "where": one.where and str(one.where),
        "wanted": one.wanted and str(one.wanted),
        "page": one.page,
        "note": one.note,
    }


# fetch


def _fetch(library: Library | None, name: str, *, dry_run: bool, json: bool) -> None:
    from howto.joint.fetch import fetch, fetchable

    info = fetchable(library, name)
    if dry_run:
        if json:
            print_json({**_as_json(info), "would_fetch": info.where is None})
        else:
            output.print(_told(info))
        return
    if info.where is None:
        errors.print(f"Fetching {name}: {_source(info)}")
    done = fetch(library, name)
    if json:
        print_json({**_as_json(done.info), "sha256": done.sha256, "fetched": not done.was_here})
        return
    how = "was here" if done.was_here else "fetched"
    where = f": {done.info.where}" if done.info.where else ""
    said = f"{name} {how}{where} (SHA-256 {done.sha256[:16]}...)."
    output.print(said)
    if done.info.note:
        output.print(f"It {done.info.note}")


def _told(info: "ModelInfo") -> str:
    if info.where is not None:
        return f"{info.name} is here: {info.where}. Nothing would be fetched."
    wanted = f" It would be looked for at {info.wanted}." if info.wanted else ""
    return f"Would fetch {info.name}: {_source(info)}.{wanted}"


def _source(info: "ModelInfo") -> str:
    size = f"{_whole(info.size)} MB" if info.size else "size not published"
    page = info.page or "where its plugin says"
    return f"{size} from {page}, licence {info.licence or 'as stated there'}"


# add


def _add(
    library: Library, checkpoint: Path, word_vectors: Path, name: str, max_words: int, *, json: bool
) -> None:
    from howto.joint.added import add_authors

    with errors.status(f"Reading {checkpoint.name} and {word_vectors.name}"):
        added = add_authors(library, checkpoint, word_vectors, name, max_words=max_words)
    if json:
        print_json(
            {
                "run": name,
                "folder": str(added.folder),
                "dim": added.dim,
                "words": added.words,
                "left_out": added.left_out,
                "sha256": added.sha256,
            }
        )
        return
    output.print(
        f"The run {name} is in {added.folder}: {added.dim} dimensions, {added.words:,} words "
        f"({added.left_out:,} entries that no caption holds were left out). It sees videos by the "
        "features resnet152 and resnext101-3d (howto extract). It was trained on HowTo100M.",
    )
