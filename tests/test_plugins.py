"""Finding backends: real ones, and fake distributions written to a folder of the search path."""

import importlib.metadata
import inspect
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from howto import plugins
from howto.contracts import CONTRACTS, GROUPS
from howto.errors import BrokenPlugin, DuplicatePlugin, PluginError, UnknownPlugin, UsageError

CLIPPER = """
class FoldClipper:
    name = "fold"

    def __init__(self, seconds=1.0):
        self.seconds = seconds

    def pairs(self, narration, video):
        return []
"""


def write_distribution(folder: Path, stem: str, entry_points: str, kind: str = "dist-info") -> None:
    """Write the metadata of a distribution; stem is its name and version, `howto_fold-1.0`."""
    info = folder / f"{stem}.{kind}"
    info.mkdir(parents=True)
    name, _, version = stem.partition("-")
    text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version or '0'}\n"
    (info / ("METADATA" if kind == "dist-info" else "PKG-INFO")).write_text(text)
    (info / "entry_points.txt").write_text(dedent(entry_points))


Add = Callable[..., Path]


@pytest.fixture
def add(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Add]:
    """Install a fake distribution in a folder at the front of the path."""
    modules = set(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def add_one(
        entry_points: str = "[howto.clippers]\nfold = fake_fold:FoldClipper\n",
        stem: str = "howto_fold-1.0",
        module: str | None = CLIPPER,
        module_name: str = "fake_fold",
        folder: str = "site",
        kind: str = "dist-info",
    ) -> Path:
        site = tmp_path / folder
        write_distribution(site, stem, entry_points, kind)
        if module is not None:
            (site / f"{module_name}.py").write_text(dedent(module))
        if str(site) not in sys.path:
            sys.path.insert(0, str(site))
        plugins._scan.cache_clear()
        return site

    yield add_one
    plugins._scan.cache_clear()
    for name in set(sys.modules) - modules:
        if name.startswith("fake_"):
            del sys.modules[name]


def names(kind: str) -> list[str]:
    return [plugin.name for plugin in plugins.installed(kind)]


# --- listing ---


def test_the_same_plugins_as_importlib_metadata() -> None:
    ours = {(GROUPS[p.kind], p.name, p.target) for p in plugins.installed()}
    theirs = {
        (group, entry.name, entry.value)
        for group in GROUPS.values()
        for entry in importlib.metadata.entry_points(group=group)
    }
    assert ours == theirs
    assert {"lines", "grow", "windows"} <= set(names("clippers"))


def test_a_plugin_says_where_it_comes_from(add: Add) -> None:
    add()
    plugin = plugins.find("clippers", "fold")
    assert plugin == plugins.Plugin(
        "clippers", "fold", "howto-fold", "1.0", "fake_fold:FoldClipper"
    )
    assert str(plugin) == "clipper 'fold' (howto-fold 1.0)"


def test_the_listing_is_sorted_and_of_one_kind(add: Add) -> None:
    add("[howto.samplers]\nzig = a:B\n[howto.clippers]\nzag = a:B\nfold = a:B\n")
    everything = plugins.installed()
    assert everything == sorted(everything, key=lambda p: (p.kind, p.name, p.distribution))
    assert {plugin.kind for plugin in plugins.installed("clippers")} == {"clippers"}


def test_listing_is_light_and_imports_no_plugin() -> None:
    code = """
        import sys
        from howto import plugins
        found = plugins.installed()
        targets = {plugin.target.partition(":")[0] for plugin in found}
        heavy = {"torch", "numpy", "av", "typer", "rich"} | targets
        assert len(found) >= 3
        assert not heavy & set(sys.modules), heavy & set(sys.modules)
    """
    subprocess.run([sys.executable, "-c", dedent(code)], check=True)


def test_the_path_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    plugins._scan.cache_clear()
    read = []
    real = plugins._read_folder

    def counting(folder: str) -> object:
        read.append(folder)
        return real(folder)

    monkeypatch.setattr(plugins, "_read_folder", counting)
    plugins.installed()
    folders = len(read)
    plugins.installed("asr")
    plugins.find("clippers", "lines")
    assert folders == len(read) == len(sys.path)


def test_unknown_kind() -> None:
    with pytest.raises(UsageError, match=r"no plugin kind 'clipper'.*Did you mean 'clippers'\?"):
        plugins.installed("clipper")


def test_path_entries_that_python_ignores(
    add: Add, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    add()
    strange = [tmp_path, str(tmp_path / "not there"), "", str(tmp_path / "[brackets]*")]
    monkeypatch.setattr(sys, "path", [*strange, *sys.path])
    assert "fold" in names("clippers")


def test_a_distribution_in_a_zip_file(
    add: Add, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "bundle.zip"
    with zipfile.ZipFile(archive, "w") as bundle:
        bundle.writestr(
            "howto_zip-2.0.dist-info/entry_points.txt", "[howto.clippers]\nzipped = fake_zipped:C\n"
        )
        bundle.writestr("fake_zipped.py", CLIPPER.replace("FoldClipper", "C"))
    monkeypatch.syspath_prepend(str(archive))
    assert plugins.find("clippers", "zipped").distribution == "howto-zip"
    assert plugins.create("clippers", "zipped", seconds=3.0).seconds == 3.0


# --- one distribution seen twice is no duplicate ---


def test_one_folder_twice_on_the_path(add: Add) -> None:
    site = add()
    sys.path.append(str(site))
    sys.path.append(f"{site}/")
    assert names("clippers").count("fold") == 1


@pytest.mark.parametrize("stem", ["howto_fold", "howto_fold-1.0-py3.11", "Howto.Fold-1.0"])
def test_an_egg_info_beside_an_installed_one(add: Add, stem: str) -> None:
    """An editable setuptools install leaves both, on two folders of the path."""
    add()
    add(stem=stem, folder="src", kind="egg-info")
    assert names("clippers").count("fold") == 1
    assert plugins.load("clippers", "fold").name == "fold"


def test_an_egg_info_has_no_version_or_a_long_one(add: Add) -> None:
    add(stem="howto_fold", kind="egg-info")
    assert str(plugins.find("clippers", "fold")) == "clipper 'fold' (howto-fold)"
    add("[howto.clippers]\nfile = a:B\n", stem="howto_file-1.0-py3.11", kind="egg-info")
    assert plugins.find("clippers", "file").version == "1.0"


def test_the_first_version_on_the_path_shadows_others(add: Add) -> None:
    add("[howto.clippers]\nold = a:B\n", folder="behind")
    add("[howto.clippers]\nnew = a:B\n", stem="howto_fold-2.0", folder="before")
    assert "new" in names("clippers")
    assert "old" not in names("clippers")


def test_a_version_without_entry_points_shadows_as_well(add: Add) -> None:
    """As importlib.metadata has it: it is the first version that would be imported."""
    add("[howto.clippers]\nold = a:B\n", folder="behind")
    site = add("", stem="howto_fold-2.0", folder="before")
    (site / "howto_fold-2.0.dist-info" / "entry_points.txt").unlink()
    assert "old" not in names("clippers")


def test_two_versions_in_one_folder(add: Add) -> None:
    """What a torn upgrade leaves: the same names, from one distribution."""
    add()
    add(stem="howto_fold-2.0")
    assert names("clippers").count("fold") == 1


def test_the_rest_of_an_interrupted_pip(add: Add) -> None:
    add()
    add(stem="~owto_fold-1.0", module=None)
    assert names("clippers").count("fold") == 1


# --- two distributions of one name ---


def test_duplicates_name_both_and_hurt_nobody_else(add: Add) -> None:
    add()
    add(stem="fold_again-0.3", folder="other")
    with pytest.raises(DuplicatePlugin) as caught:
        plugins.load("clippers", "fold")
    assert str(caught.value) == (
        "clipper 'fold' is offered by fold-again 0.3 and by howto-fold 1.0. "
        "Uninstall all but one of them."
    )
    both = [plugin for plugin in plugins.installed("clippers") if plugin.name == "fold"]
    assert [plugin.distribution for plugin in both] == ["fold-again", "howto-fold"]
    assert [plugins.check(plugin) for plugin in both] == [str(caught.value)] * 2
    assert plugins.load("clippers", "lines").name == "lines"


def test_one_name_of_two_kinds_is_no_duplicate(add: Add) -> None:
    add("[howto.clippers]\nfold = fake_fold:FoldClipper\n[howto.samplers]\nfold = fake_fold:F\n")
    assert plugins.load("clippers", "fold").name == "fold"


# --- names that nobody offers ---


@pytest.mark.parametrize("name", ["folds", "Fold", "FOLD:3"])
def test_unknown_names_suggest_the_nearest(add: Add, name: str) -> None:
    add()
    with pytest.raises(UnknownPlugin) as caught:
        plugins.load("clippers", name)
    base = name.partition(":")[0]
    assert str(caught.value) == (
        f"no clipper named {base!r}. Installed: {', '.join(names('clippers'))}. "
        "Did you mean 'fold'?"
    )


def test_unknown_names_without_a_near_one() -> None:
    with pytest.raises(UnknownPlugin) as caught:
        plugins.load("asr", "xyz")
    assert str(caught.value).startswith("no narration source named 'xyz'. Installed: ")
    assert "Did you mean" not in str(caught.value)


def test_unknown_names_where_nothing_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(UnknownPlugin, match=r"no backbone named 's3d'. Installed: none."):
        plugins.load("backbones", "s3d")


# --- loading ---


def test_load_gives_the_class_and_create_an_object(add: Add) -> None:
    add()
    assert plugins.load("clippers", "fold").__name__ == "FoldClipper"
    assert plugins.create("clippers", "fold").seconds == 1.0
    assert plugins.create("clippers", "fold", seconds=2.5).seconds == 2.5


def test_options_that_a_backend_does_not_take(add: Add) -> None:
    add()
    with pytest.raises(UsageError, match=r"clipper 'fold' \(howto-fold 1.0\) takes no minutes; it"):
        plugins.create("clippers", "fold", minutes=2)


FAMILY = """
from howto.errors import UnknownPlugin

class Family:
    def __init__(self, sides, doubled=False):
        self.name, self.sides, self.doubled = f"fold:{sides}", sides, doubled

    @classmethod
    def variant(cls, argument, **options):
        if argument not in ("left", "right"):
            raise UnknownPlugin(f"no fold {argument!r}; there are left and right")
        return cls(argument, **options)

    def pairs(self, narration, video):
        return []
"""


def test_a_family(add: Add) -> None:
    add("[howto.clippers]\nfold = fake_fold:Family\n", module=FAMILY)
    assert plugins.create("clippers", "fold:left", doubled=True).doubled
    assert plugins.load("clippers", "fold:right")().name == "fold:right"
    with pytest.raises(UnknownPlugin, match="no fold 'up'; there are left and right"):
        plugins.create("clippers", "fold:up")
    with pytest.raises(UnknownPlugin, match=r"is a family.*fold:MEMBER"):
        plugins.load("clippers", "fold")
    assert plugins.check(plugins.find("clippers", "fold")) is None


def test_a_family_with_a_default_member(add: Add) -> None:
    module = FAMILY.replace("self, sides", "self, sides='left'")
    add("[howto.clippers]\nfold = fake_fold:Family\n", module=module)
    assert plugins.create("clippers", "fold").name == "fold:left"
    assert plugins.check(plugins.find("clippers", "fold")) is None


def test_an_argument_for_what_is_no_family(add: Add) -> None:
    """It must not become the first option of the constructor by accident."""
    add()
    with pytest.raises(UnknownPlugin, match=r"not a family and takes no argument. Ask for 'fold'."):
        plugins.create("clippers", "fold:3")


BROKEN = {
    "needs a module": (
        "import no_such_module",
        "fake_fold:FoldClipper",
        "clipper 'fold' (howto-fold 1.0) needs the module 'no_such_module', which is not "
        "installed. Install it with: pip install 'howto-fold'",
    ),
    "needs a module of an extra": (
        "import no_such_module.deep",
        "fake_fold:FoldClipper [video]",
        "clipper 'fold' (howto-fold 1.0) needs the module 'no_such_module', which is not "
        "installed. Install it with: pip install 'howto-fold[video]'",
    ),
    "its package is gone": (
        None,
        "fake_fold:FoldClipper",
        "clipper 'fold' (howto-fold 1.0) cannot be loaded: its package 'fake_fold' is gone. "
        "Install it again with: pip install --force-reinstall howto-fold",
    ),
    "a module of its own is missing": (
        "",
        "fake_fold.deep:FoldClipper",
        "clipper 'fold' (howto-fold 1.0) cannot be loaded: there is no module 'fake_fold.deep' "
        "in its package",
    ),
    "no such class": (
        "",
        "fake_fold:FoldClipper",
        "clipper 'fold' (howto-fold 1.0) cannot be loaded: AttributeError: module 'fake_fold' "
        "has no attribute 'FoldClipper'",
    ),
    "raises": (
        "raise RuntimeError('no GPU\\nwith a long\\ntail')",
        "fake_fold:FoldClipper",
        "clipper 'fold' (howto-fold 1.0) cannot be loaded: RuntimeError: no GPU",
    ),
    "exits": (
        "import sys; sys.exit(3)",
        "fake_fold:FoldClipper",
        "clipper 'fold' (howto-fold 1.0) cannot be loaded: SystemExit: 3",
    ),
    "does not parse": (
        "class FoldClipper(:",
        "fake_fold:FoldClipper",
        "clipper 'fold' (howto-fold 1.0) cannot be loaded: SyntaxError: ",
    ),
    "raises when made": (
        "class FoldClipper:\n    def __init__(self): raise ValueError",
        "fake_fold:FoldClipper",
        "clipper 'fold' (howto-fold 1.0) cannot be loaded: ValueError",
    ),
    "is no class": (
        "FoldClipper = 3",
        "fake_fold:FoldClipper",
        "clipper 'fold' (howto-fold 1.0) cannot be loaded: fake_fold:FoldClipper is of type "
        "int, not a class",
    ),
    "is a whole module": (
        "",
        "fake_fold",
        "clipper 'fold' (howto-fold 1.0) cannot be loaded: fake_fold is of type module, not a "
        "class",
    ),
    "a target that is none": (
        "",
        "fake fold/FoldClipper",
        "clipper 'fold' (howto-fold 1.0) cannot be loaded: its entry point is "
        "'fake fold/FoldClipper', expected module:Class",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_plugin_hurts_only_who_names_it(add: Add, what: str) -> None:
    module, target, message = BROKEN[what]
    add(f"[howto.clippers]\nfold = {target}\n", module=module)
    assert "fold" in names("clippers")
    assert plugins.create("clippers", "lines").name == "lines"
    with pytest.raises(BrokenPlugin) as caught:
        plugins.create("clippers", "fold")
    assert str(caught.value).startswith(message)
    problem = plugins.check(plugins.find("clippers", "fold"))
    assert problem is not None
    assert problem == str(caught.value).removeprefix("clipper 'fold' (howto-fold 1.0) ")


def test_our_own_errors_pass_through(add: Add) -> None:
    add(module="from howto.errors import PluginError\nraise PluginError('weights are missing')")
    with pytest.raises(PluginError, match=r"^weights are missing$"):
        plugins.load("clippers", "fold")


def test_ctrl_c_while_loading_is_no_broken_plugin(add: Add) -> None:
    add(module="raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        plugins.load("clippers", "fold")


# --- metadata that cannot be read ---

UNREADABLE = {
    "no section": b"fold = fake_fold:FoldClipper # [howto.clippers]\n",
    "a section twice": b"[howto.clippers]\na = b:C\n[howto.clippers]\nd = e:F\n",
    "a name twice": b"[howto.clippers]\na = b:C\na = e:F\n",
    "no value": b"[howto.clippers]\nfold\n",
    "not UTF-8": b"[howto.clippers]\nfold = fake_fold:\xff\n",
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_unreadable_metadata_hurts_nobody_else(add: Add, what: str) -> None:
    """The broken one comes first in its folder, so that what stops there finds nothing else."""
    site = add()
    add("", stem="a_broken-0.1", module=None)
    (site / "a_broken-0.1.dist-info" / "entry_points.txt").write_bytes(UNREADABLE[what])
    assert plugins.load("clippers", "fold").name == "fold"
    [note] = plugins.unreadable()
    assert note.startswith("a-broken 0.1: its entry_points.txt cannot be read: ")
    with pytest.raises(UnknownPlugin, match=r"Note: a-broken 0.1: its entry_points.txt cannot"):
        plugins.load("clippers", "other")


def test_unreadable_metadata_of_others_is_not_our_business(add: Add) -> None:
    site = add()
    add("", stem="a_stranger-0.1", module=None)
    (site / "a_stranger-0.1.dist-info" / "entry_points.txt").write_bytes(b"no section \xff\n")
    assert plugins.load("clippers", "fold").name == "fold"
    assert plugins.unreadable() == []


def test_per_cent_signs_are_plain_text(add: Add) -> None:
    """A configuration parser takes them for interpolation."""
    add("[console_scripts]\nx = %(y)s\n[howto.clippers]\nfold = fake_fold:FoldClipper\nbad = %x\n")
    assert plugins.load("clippers", "fold").name == "fold"
    with pytest.raises(BrokenPlugin, match=r"its entry point is '%x', expected module:Class"):
        plugins.load("clippers", "bad")


def test_a_zip_file_that_is_damaged(add: Add, tmp_path: Path) -> None:
    add()
    archive = tmp_path / "damaged.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as bundle:
        text = "[howto.clippers]\n" + "".join(f"name-{n} = module_{n}:C\n" for n in range(200))
        bundle.writestr("howto_zip-2.0.dist-info/entry_points.txt", text)
    damaged = bytearray(archive.read_bytes())
    damaged[200:260] = bytes(60)
    archive.write_bytes(damaged)
    sys.path.insert(0, str(archive))
    assert "fold" in names("clippers")
    [note] = plugins.unreadable()
    assert note.startswith(f"{archive}: ")


@given(content=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode()))
def test_no_metadata_at_all_can_break_the_listing(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    site = tmp_path_factory.mktemp("site")
    write_distribution(site, "howto_fold-1.0", "[howto.clippers]\nfold = fake_fold:FoldClipper\n")
    write_distribution(site, "a_broken-0.1", "")
    file = site / "a_broken-0.1.dist-info" / "entry_points.txt"
    file.write_bytes(b"[howto.clippers]\n" + content)
    found, _ = plugins._scan((str(site),))
    assert ("howto-fold", "fold") in [(plugin.distribution, plugin.name) for plugin in found]


# --- checking ---


def test_our_own_clippers_pass() -> None:
    assert {plugins.check(plugin) for plugin in plugins.installed("clippers")} == {None}


@pytest.mark.parametrize(
    ("module", "problem"),
    [
        ("class FoldClipper:\n    name = 'fold'", "it lacks the method pairs()"),
        (
            "class FoldClipper:\n    pairs = 3",
            "it lacks the attribute 'name', the method pairs() (see howto.contracts.Clipper)",
        ),
        (CLIPPER.replace('"fold"', '"unfold"'), "its attribute name is 'unfold', its entry point"),
        (CLIPPER.replace("seconds=1.0", "seconds"), "cannot be made with these options: missing"),
    ],
)
def test_what_is_wrong_is_said(add: Add, module: str, problem: str) -> None:
    add(module=module)
    found = plugins.check(plugins.find("clippers", "fold"))
    assert found is not None
    assert found.startswith(problem)


def test_names_have_hyphens(add: Add) -> None:
    module = CLIPPER.replace('"fold"', '"my_fold"')
    add("[howto.clippers]\nmy_fold = fake_fold:FoldClipper\n", module=module)
    problem = plugins.check(plugins.find("clippers", "my_fold"))
    assert problem == "the name 'my_fold' is not lower-case words and digits joined by hyphens"


# --- the documentation ---


def test_the_page_for_authors_names_every_kind_and_all_it_must_offer() -> None:
    page = (Path(__file__).parents[1] / "docs" / "plugins.md").read_text(encoding="utf-8")
    rows = [row for row in page.splitlines() if row.startswith("| `")]
    for kind, group in GROUPS.items():
        [row] = [row for row in rows if row.startswith(f"| `{kind}` | `{group}` |")]
        contract = CONTRACTS[kind]
        methods = [name for name, _ in inspect.getmembers(contract, inspect.isfunction)]
        for name in [*contract.__annotations__, *methods]:
            assert name.startswith("_") or f"`{name}" in row, (kind, name)
