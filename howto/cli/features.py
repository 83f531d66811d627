"""`howto features`: what features a library has; take some in, or write them for others."""

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from howto.cli.console import errors, output, plain_table, print_json
from howto.errors import UsageError
from howto.extract.store import StoredFeatures, feature_sets
from howto.library import Library
from howto.search.phrases import counted

if TYPE_CHECKING:
    from howto.extract.export import ExportedFeatures
    from howto.extract.features import FeatureSet
    from howto.extract.imports import ImportedFeatures

__all__ = ["features"]

EXIT_FAILED = 1
MIB = 1 << 20


def features(
    action: Annotated[
        Literal["list", "export", "import"], typer.Argument(help="list, export or import.")
    ] = "list",
    source: Annotated[
        Path | None,
        typer.Argument(help="What to import: a folder of .npy, a .pth or a .pkl."),
    ] = None,
    library: Annotated[
        Path | None, typer.Option("--library", "-L", help="The folder of videos, by default this.")
    ] = None,
    backbone: Annotated[
        str | None,
        typer.Option(help="Export: whose features. Import: what made those that do not say it."),
    ] = None,
    set_: Annotated[
        str | None,
        typer.Option("--set", help="Export: the set, by its short hash, where there are several."),
    ] = None,
    form: Annotated[
        str, typer.Option("--format", help="Export: npy, npz, parquet, hdf5 or webdataset.")
    ] = "npy",
    to: Annotated[Path | None, typer.Option(help="Export: a new folder.")] = None,
    rate: Annotated[
        str | None, typer.Option(help="Import: features a second, such as 1 or 3/2.")
    ] = None,
    trust_pickle: Annotated[
        bool,
        typer.Option("--trust-pickle", help="Import: load it freely. Runs code of its maker."),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
    state_dir: Annotated[
        Path | None, typer.Option(help="Where what howto knows is kept, if not in FOLDER/.howto.")
    ] = None,
) -> None:
    """List the features of a library, export them, or import those of others.

    Imported are the HowTo100M authors' folders of .npy (2D and 3D) and their .pth and .pkl sets.

    Example:  howto features export --backbone resnet152 --format npy --to features_2d -L my_videos/
    """
    _refuse(action, source, to)
    with Library.open(library or Path(), state_dir, create=action == "import") as opened:
        if action == "export" and to is not None:
            _export(opened, backbone, set_, form, to, json=json)
        elif action == "import" and source is not None:
            _import(opened, source, backbone, rate, trust_pickle, json=json)
        else:
            _list(opened, json=json)


def _refuse(action: str, source: Path | None, to: Path | None) -> None:
    if action == "import" and source is None:
        raise UsageError("name what to import: a folder of .npy, a .pth or a .pkl")
    if action != "import" and source is not None:
        raise UsageError(f"{source}: only import takes a source; the library is -L DIR")
    if (action == "export") != (to is not None):
        raise UsageError("export needs --to DIR, and nothing else takes it")


# list


def _list(library: Library, *, json: bool) -> None:
    found = {one.folder: one for one in _on_disk(library)}
    rows = [(stored, tally, found.get(stored.folder)) for stored, tally in feature_sets(library)]
    if json:
        print_json(
            {
                "library": str(library.folder),
                "sets": [
                    {
                        "backbone": stored.backbone,
                        "set": stored.recipe.short,
                        "recipe": stored.recipe.parts,
                        "folder": str(stored.folder),
                        "files": files.files if files else 0,
                        "bytes": files.size if files else 0,
                        "tally": dict(tally),
                    }
                    for stored, tally, files in rows
                ],
            }
        )
        return
    if not rows:
        output.print("No features yet. Make some: howto extract --backbone NAME")
        return

    names = ("backbone", "set", "D", "files", "MiB", "not there")
    table = plain_table(*names, right=("D", "files", "MiB"))
    for stored, tally, files in rows:
        lacking = ", ".join(f"{count} {name}" for name, count in tally.items() if name != "ok")
        table.add_row(
            stored.backbone,
            stored.recipe.short,
            str(stored.recipe.parts["dim"]),
            str(files.files if files else 0),
            f"{(files.size if files else 0) / MIB:.1f}",
            lacking,
        )
    output.print(table)


def _on_disk(library: Library) -> "list[FeatureSet]":
    from howto.extract.features import sets
    from howto.extract.store import features_root

    return sets(features_root(library))


# export


def _export(
    library: Library,
    backbone: str | None,
    set_: str | None,
    form: str,
    to: Path,
    *,
    json: bool,
) -> None:
    from howto.extract.export import export_features

    exported = export_features(library, _chosen(library, backbone, set_), form, to)
    if json:
        print_json(
            {
                "folder": str(exported.folder),
                "videos": exported.videos,
                "lost": list(exported.lost),
            }
        )
    else:
        output.print(
            f"Exported the features of {counted(exported.videos, 'video')}: {exported.folder}",
        )
    _name_lost(exported)


def _chosen(library: Library, backbone: str | None, set_: str | None) -> StoredFeatures:
    """The one set that is meant."""
    there = [stored for stored, _ in feature_sets(library)]
    meant = [
        one
        for one in there
        if backbone in (None, one.backbone) and set_ in (None, one.recipe.short)
    ]
    if len(meant) == 1:
        return meant[0]
    listed = ", ".join(f"{one.backbone} ({one.recipe.short})" for one in meant or there)
    if not there:
        raise UsageError("the library has no features. Make some: howto extract --backbone NAME")
    which = "no such features" if not meant else "which features"
    raise UsageError(f"{which}? Choose with --backbone or --set among: {listed}")


# import


def _import(
    library: Library,
    source: Path,
    backbone: str | None,
    rate: str | None,
    trust_pickle: bool,
    *,
    json: bool,
) -> None:
    from howto.extract.imports import import_features

    imported = import_features(
        library,
        source,
        backbone=backbone,
        rate=_fraction(rate),
        trust_pickle=trust_pickle,
    )
    if json:
        print_json(
            {
                "sets": [
                    {"backbone": one.backbone, "set": one.recipe.short, "files": count}
                    for one, count in imported.sets
                ],
                "by_id": imported.by_id,
                "by_name": imported.by_name,
                "unknown": imported.unknown,
                "lost": list(imported.lost),
            }
        )
    else:
        for one, count in imported.sets:
            what = f"{one.backbone} ({one.recipe.short}): {counted(count, 'feature file')}"
            output.print(what)
        output.print(
            f"{imported.by_id} known by id, {imported.by_name} by file name, "
            f"{imported.unknown} without a video here."
        )
    _name_lost(imported)


def _fraction(rate: str | None) -> Fraction | None:
    if rate is None:
        return None
    try:
        found = Fraction(rate)
    except (ValueError, ZeroDivisionError) as error:
        raise UsageError(f"--rate {rate}: expected a number such as 1 or 3/2") from error
    if found <= 0:
        raise UsageError(f"--rate {rate}: expected more than 0")
    return found


def _name_lost(done: "ExportedFeatures | ImportedFeatures") -> None:
    for problem in done.lost:
        errors.print(f"Failed: {problem}")
    if done.lost:
        raise typer.Exit(EXIT_FAILED)
