"""Find backends by name, through Python entry points; list them without importing anything.

A distribution offers a backend by an entry point in the group of its kind
(`howto.contracts.GROUPS`): `s3d = "howto_s3d:S3DBackbone"` under `howto.backbones`. Listing reads
metadata files only; a backend is imported when it is first named, so a broken one hurts nobody but
who names it.

A *family* is one entry point with many members, asked for as `name:argument`, such as
`torchvision:r2plus1d_18`. Its class has a class method `variant(argument, **options)` that returns
the backend and raises UnknownPlugin for an argument it does not know.

Nothing outside this module uses the `entrypoints` package. How to write a plugin: docs/plugins.md.
"""

import configparser
import difflib
import functools
import inspect
import os
import re
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import entrypoints

from howto.contracts import CONTRACTS, GROUPS
from howto.errors import BrokenPlugin, DuplicatePlugin, HowtoError, UnknownPlugin, UsageError

__all__ = [
    "Plugin",
    "check",
    "create",
    "find",
    "imported",
    "installed",
    "load",
    "noun",
    "unreadable",
]

VALID_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_UNREADABLE = (configparser.Error, UnicodeError, OSError)
_IRREGULAR_NOUNS = {"asr": "narration source", "losses": "loss", "models": "joint model"}


@dataclass(frozen=True, slots=True)
class Plugin:
    """One backend that an installed distribution offers.

    Attributes:
        kind: a key of `howto.contracts.GROUPS`, such as `backbones`.
        name: the entry point's name; for a family the part before the colon.
        distribution: the name that pip knows it by.
        version: of the distribution; '' where its metadata does not say.
        target: what the entry point holds, `module:Class`, unchecked.
    """

    kind: str
    name: str
    distribution: str
    version: str
    target: str

    def __str__(self) -> str:
        """For messages: `backbone 's3d' (howto-s3d 0.2.0)`."""
        return f"{noun(self.kind)} {self.name!r} ({self.origin})"

    @property
    def origin(self) -> str:
        """The distribution with its version: `howto-s3d 0.2.0`."""
        return f"{self.distribution} {self.version}".rstrip()


def noun(kind: str) -> str:
    """Name one backend of a kind in plain words: `backbone`, `narration source`."""
    return _IRREGULAR_NOUNS.get(kind, kind.replace("_", " ").removesuffix("s"))


def installed(kind: str | None = None) -> list[Plugin]:
    """List what is installed, sorted by kind, name and distribution; imports none of it.

    A name that two distributions offer is listed once for each. The metadata is read once in a
    process for each `sys.path`.

    Args:
        kind: only backends of this kind; None for all kinds.

    Raises:
        UsageError: there is no such kind.
    """
    if kind is not None and kind not in GROUPS:
        raise UsageError(f"no plugin kind {kind!r}. Kinds: {_known(kind, GROUPS)}")
    found, _ = _scan(_search_path())
    return [plugin for plugin in found if kind is None or plugin.kind == kind]


def unreadable() -> list[str]:
    """Say which distributions offer backends in a metadata file that cannot be read, and why."""
    return list(_scan(_search_path())[1])


def find(kind: str, name: str) -> Plugin:
    """Return the one plugin of that name without importing it.

    Args:
        kind: a key of `howto.contracts.GROUPS`.
        name: the name, or `name:argument` for a member of a family.

    Raises:
        UsageError: there is no such kind.
        UnknownPlugin: no distribution offers the name; the message lists what there is.
        DuplicatePlugin: two distributions offer it; the message names both.
    """
    candidates = installed(kind)
    base = name.partition(":")[0]
    matches = [plugin for plugin in candidates if plugin.name == base]
    if not matches:
        raise UnknownPlugin(_unknown(kind, base, candidates))
    if len(matches) > 1:
        raise DuplicatePlugin(_duplicate(matches))
    return matches[0]


def load(kind: str, name: str) -> Any:
    """Import a backend and return its class, or for `name:argument` what makes that family member.

    What comes back is called with keyword options to get the backend; `create` does both.

    Raises:
        UnknownPlugin, DuplicatePlugin, UsageError: as `find`; UnknownPlugin also where an argument
            is given to a backend that is no family, or none to a family that needs one.
        BrokenPlugin: importing it fails; the message names the distribution and the cause.
    """
    return _load(find(kind, name), name)


def imported(plugin: Plugin) -> Any:
    """Import a backend and return what its entry point names: a class, also for a family.

    Raises:
        BrokenPlugin: importing it fails.
    """
    return _import(plugin)


def create(kind: str, name: str, **options: Any) -> Any:
    """Import a backend and construct it.

    Args:
        kind: a key of `howto.contracts.GROUPS`.
        name: the name, or `name:argument` for a member of a family.
        options: keyword arguments of the backend's own.

    Raises:
        UnknownPlugin, DuplicatePlugin: as `load`.
        UsageError: there is no such kind, or the backend does not take these options.
        BrokenPlugin: importing or constructing it fails.
    """
    plugin = find(kind, name)
    return _construct(plugin, _load(plugin, name), options)


def check(plugin: Plugin) -> str | None:
    """Try a plugin: load it, construct it without options, and look for what its contract asks for.

    Returns:
        What is wrong, in words for its author; None where nothing is. Behaviour is not tried here:
        the suites of `howto.testing` do that.
    """
    rivals = [p for p in installed(plugin.kind) if p.name == plugin.name]
    if len(rivals) > 1:
        return _duplicate(rivals)
    if not VALID_NAME.fullmatch(plugin.name):
        return f"the name {plugin.name!r} is not lower-case words and digits joined by hyphens"
    try:
        loaded = _import(plugin)
        if _needs_argument(loaded):
            return _missing_members(plugin.kind, loaded, methods_only=True)
        backend = _construct(plugin, loaded, {})
    except HowtoError as error:
        return str(error).removeprefix(f"{plugin} ")
    return _missing_members(plugin.kind, backend) or _wrong_name(plugin, backend)


# --- reading metadata ---


def _search_path() -> tuple[str, ...]:
    return tuple(folder for folder in sys.path if type(folder) is str)  # import skips others too


@functools.lru_cache(maxsize=4)
def _scan(search_path: tuple[str, ...]) -> tuple[tuple[Plugin, ...], tuple[str, ...]]:
    """Read the entry points of every distribution on the path; also say which could not be read."""
    found: list[Plugin] = []
    problems: list[str] = []
    shadowed: set[str] = set()
    for folder in search_path:
        configs, unread = _read_folder(folder)
        problems += unread
        for config, distribution in configs:
            name = _normalised(distribution.name)
            # The first of a name on the path is the one that gets imported: an editable install
            # beside its own egg-info, or a folder that is on the path twice, is no duplicate.
            if name not in shadowed and not name.startswith("~"):  # "~": an interrupted pip's
                found += _plugins_of(config, name, _version(distribution))
            shadowed.add(name)
        shadowed |= _distributions_in(folder)
    found.sort(key=lambda plugin: (plugin.kind, plugin.name, plugin.distribution))
    return tuple(found), tuple(problems)


_Configs = list[tuple[configparser.ConfigParser, entrypoints.Distribution]]


def _read_folder(folder: str) -> tuple[_Configs, list[str]]:
    if Path(folder).is_dir() and not folder.rstrip("/\\").endswith(".egg"):
        return _read_one_by_one(folder)
    try:
        return list(entrypoints.iter_files_distros([folder], repeated_distro="all")), []
    except (*_UNREADABLE, zipfile.BadZipFile, zlib.error) as error:
        return [], [f"{folder}: {_cause(error)}"]


def _read_one_by_one(folder: str) -> tuple[_Configs, list[str]]:
    """What a folder of distributions offers. One file that cannot be read costs itself alone, and
    most are of other tools: to parse those would take longer than all else."""
    configs: _Configs = []
    problems = []
    nothing = configparser.ConfigParser()
    for info in _infos(folder):
        file = Path(folder, info, "entry_points.txt")
        try:
            concerns_us = b"[howto." in file.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError:
            concerns_us = True  # one that cannot be opened might
        distribution = entrypoints.Distribution.from_name_version(os.path.splitext(info)[0])
        if not concerns_us:
            configs.append((nothing, distribution))
            continue
        config = entrypoints.CaseSensitiveConfigParser(delimiters=("=",))
        try:
            config.read_string(file.read_text(encoding="utf-8"), source=str(file))
        except _UNREADABLE as error:
            name = f"{_normalised(distribution.name)} {_version(distribution)}".rstrip()
            problems.append(f"{name}: its entry_points.txt cannot be read: {_cause(error)}")
        else:
            configs.append((config, distribution))
    return configs, problems


def _distributions_in(folder: str) -> set[str]:
    """Name what a folder holds, entry points or not: it shadows what comes later on the path."""
    return {_normalised(os.path.splitext(info)[0].partition("-")[0]) for info in _infos(folder)}


def _infos(folder: str) -> tuple[str, ...]:
    """The names of the metadata folders in a folder: what was installed before what was linked."""
    try:
        with os.scandir(folder or ".") as entries:
            names = [entry.name for entry in entries]
    except OSError:
        return ()
    found = [name for name in names if name.endswith((".dist-info", ".egg-info"))]
    return tuple(sorted(found, key=lambda name: (os.path.splitext(name)[1], name)))


def _plugins_of(config: configparser.ConfigParser, name: str, version: str) -> Iterator[Plugin]:
    for kind, group in GROUPS.items():
        if config.has_section(group):
            # raw: a per cent sign in another tool's entry would raise an interpolation error
            for entry, target in config.items(group, raw=True):
                yield Plugin(kind, entry, name, version, target)


def _normalised(distribution: str) -> str:
    """Write a distribution's name as package indexes do: `Howto_S3D` is `howto-s3d` (PEP 503)."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def _version(distribution: entrypoints.Distribution) -> str:
    """Cut the Python version off that eggs carry: `1.0-py3.11` is `1.0`."""
    return str(distribution.version or "").partition("-")[0]


# --- loading ---


def _load(plugin: Plugin, name: str) -> Any:
    loaded = _import(plugin)
    _, colon, argument = name.partition(":")
    if colon and not hasattr(loaded, "variant"):
        raise UnknownPlugin(
            f"no {noun(plugin.kind)} named {name!r}: {plugin} is not a family and "
            f"takes no argument. Ask for {plugin.name!r}."
        )
    if colon:
        return functools.partial(loaded.variant, argument)
    if _needs_argument(loaded):
        raise UnknownPlugin(
            f"{plugin} is a family: add which member you want after a colon, {plugin.name}:MEMBER."
        )
    return loaded


def _needs_argument(loaded: Any) -> bool:
    """Tell whether this is a family without a default member."""
    return hasattr(loaded, "variant") and _refusal(loaded, {}) is not None


def _refusal(factory: Callable[..., Any], options: dict[str, Any]) -> str | None:
    """Say why a call with these options cannot be made, without making it."""
    try:
        signature = inspect.signature(factory)
    except ValueError:  # made in C without a signature: only the call itself can tell
        return None
    try:
        signature.bind(**options)
    except TypeError as error:
        return str(error)
    return None


def _untaken(factory: Callable[..., Any], options: dict[str, Any]) -> str:
    """Say which options are not taken, and which would be; '' where that is not what is wrong."""
    known = [
        name
        for name, one in inspect.signature(factory).parameters.items()
        if one.kind in (one.KEYWORD_ONLY, one.POSITIONAL_OR_KEYWORD)
    ]
    untaken = [name for name in options if name not in known]
    if not untaken:
        return ""
    return f"takes no {' and no '.join(untaken)}; it takes {', '.join(known) or 'no option'}"


def _import(plugin: Plugin) -> Any:
    try:
        entry_point = entrypoints.EntryPoint.from_string(plugin.target, plugin.name)
    except entrypoints.BadEntryPoint as error:
        raise BrokenPlugin(
            f"{plugin} cannot be loaded: its entry point is {plugin.target!r}, "
            "expected module:Class"
        ) from error
    with _blaming(plugin, entry_point.extras):
        loaded = entry_point.load()
    if not callable(loaded):
        found = f"is of type {type(loaded).__name__}, not a class"
        raise BrokenPlugin(f"{plugin} cannot be loaded: {plugin.target} {found}")
    return loaded


def _construct(plugin: Plugin, factory: Callable[..., Any], options: dict[str, Any]) -> Any:
    if (refusal := _refusal(factory, options)) is not None:
        untaken = _untaken(factory, options)
        raise UsageError(f"{plugin} {untaken or 'cannot be made with these options: ' + refusal}")
    with _blaming(plugin):
        return factory(**options)


@contextmanager
def _blaming(plugin: Plugin, extras: Iterable[str] | None = None) -> Iterator[None]:
    """Turn whatever a stranger's code raises into an error that names the distribution."""
    try:
        yield
    except HowtoError:
        raise
    except ModuleNotFoundError as error:
        raise BrokenPlugin(_missing_module(plugin, error, extras)) from error
    # Broad, and the only place that is: a plugin is code we do not know, and any error of its own,
    # a call of sys.exit() included, must cost that plugin only.
    except (Exception, SystemExit) as error:
        raise BrokenPlugin(f"{plugin} cannot be loaded: {_cause(error)}") from error


def _missing_module(
    plugin: Plugin, error: ModuleNotFoundError, extras: Iterable[str] | None
) -> str:
    module = error.name or ""
    own = plugin.target.partition(":")[0].partition(".")[0]
    if module.startswith(f"{own}."):
        return f"{plugin} cannot be loaded: there is no module {module!r} in its package"
    if module == own:
        return (
            f"{plugin} cannot be loaded: its package {own!r} is gone. Install it again with: "
            f"pip install --force-reinstall {plugin.distribution}"
        )
    # The distribution, never the module: what an index has as 'cv2' is not where cv2 comes from.
    wanted = f"{plugin.distribution}[{','.join(extras)}]" if extras else plugin.distribution
    return (
        f"{plugin} needs the module {module!r}, which is not installed. Install it with: "
        f"pip install '{wanted}'"
    )


def _cause(error: BaseException) -> str:
    """Write an error in one line."""
    first_line = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {first_line}" if first_line else type(error).__name__


# --- checking and messages ---


def _missing_members(kind: str, backend: Any, *, methods_only: bool = False) -> str | None:
    contract = CONTRACTS[kind]
    methods = {
        name
        for name, member in vars(contract).items()
        if inspect.isfunction(member) and not name.startswith("_")
    }
    attributes = set() if methods_only else set(contract.__annotations__)
    missing = sorted(
        [f"the attribute {name!r}" for name in attributes if not hasattr(backend, name)]
        + [f"the method {name}()" for name in methods if not callable(getattr(backend, name, None))]
    )
    if not missing:
        return None
    return f"it lacks {', '.join(missing)} (see howto.contracts.{contract.__name__})"


def _wrong_name(plugin: Plugin, backend: Any) -> str | None:
    # A family's default member may call itself by the full name, `torchvision:resnet50`.
    if str(backend.name).partition(":")[0] == plugin.name:
        return None
    return f"its attribute name is {backend.name!r}, its entry point {plugin.name!r}"


def _duplicate(plugins: list[Plugin]) -> str:
    first, *others = plugins
    rivals = ", ".join(other.origin for other in others)
    return (
        f"{noun(first.kind)} {first.name!r} is offered by {first.origin} and by {rivals}. "
        "Uninstall all but one of them."
    )


def _unknown(kind: str, name: str, candidates: list[Plugin]) -> str:
    message = f"no {noun(kind)} named {name!r}. Installed: "
    message += _known(name, [plugin.name for plugin in candidates])
    for problem in unreadable():
        message += f" Note: {problem}."
    return message


def _known(name: str, names: Iterable[str]) -> str:
    """List the names there are, and the nearest to one that is not among them."""
    known = sorted(set(names))
    listing = f"{', '.join(known) or 'none'}."
    near = difflib.get_close_matches(name.lower().replace("_", "-"), known, n=1)
    return f"{listing} Did you mean {near[0]!r}?" if near else listing
