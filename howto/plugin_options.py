"""Options of a backend's own, as a person types them: `whisper.model=small`.

What a backend is constructed with are its keyword arguments, and their annotations say how a text
is to be read. Nothing is declared twice.
"""

import inspect
import math
import types
import typing
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from howto.errors import UsageError

__all__ = ["Option", "Value", "of_plugin", "options_of", "parse_options"]

Value = bool | int | float | str | None | tuple[Any, ...]
"""What an option may be: JSON, with a tuple in the place of a list."""

Option = tuple[str, str, Value]
"""Name of the plugin, key, value."""

_TRUTH = {"true": True, "yes": True, "false": False, "no": False}
_WORDS = {bool: "true or false", int: "a whole number", float: "a number", type(None): "none"}
_ROWS = (Iterable, Sequence, AbstractSet, list, tuple, set, frozenset)


def of_plugin(options: Iterable[Option], name: str) -> dict[str, Any]:
    """The keyword arguments among some options that are for a plugin."""
    return {key: value for plugin, key, value in options if plugin == name}


def parse_options(texts: Iterable[str], named: Iterable[tuple[str, str]]) -> tuple[Option, ...]:
    """Read options as they are typed.

    Args:
        texts: each `NAME.KEY=VALUE`; of a key that is given twice the last counts.
        named: kind and name of each plugin that may be meant. One name may be of two kinds: an
            option is then for each of them that takes it.

    Returns:
        Sorted.

    Raises:
        UsageError: it is written otherwise, names a plugin that is not named, a key that it does
            not take, or a value that is none for it; the message says what there is.
        UnknownPlugin, DuplicatePlugin, BrokenPlugin: as `plugins.load`.
    """
    kinds: dict[str, list[str]] = {}
    for kind, name in named:
        kinds.setdefault(name, []).append(kind)
    found: dict[tuple[str, str], Value] = {}
    for text in texts:
        left, equals, raw = text.partition("=")
        name, dot, key = left.strip().rpartition(".")
        if not (equals and dot and name and key):
            raise UsageError(
                f"--option {text}: expected NAME.KEY=VALUE, such as whisper.model=small"
            )
        if name not in kinds:
            known = ", ".join(kinds) or "none"
            raise UsageError(f"--option {text}: no plugin {name!r} is asked for; asked: {known}")
        taken = [own for kind in kinds[name] if key in (own := options_of(kind, name))]
        if not taken:
            keys = sorted({one for kind in kinds[name] for one in options_of(kind, name)})
            listed = ", ".join(keys) or "none"
            raise UsageError(f"--option {text}: {name} has no option {key!r}; it has: {listed}")
        found[name, key] = _value(text, raw.strip(), taken[0][key])
    return tuple((name, key, value) for (name, key), value in sorted(found.items()))


def options_of(kind: str, name: str) -> dict[str, Any]:
    """The keyword arguments of a plugin that a text can stand for, with their types.

    Left out is what only a program can give, such as an object.

    Raises:
        UnknownPlugin, DuplicatePlugin, BrokenPlugin: as `plugins.load`.
    """
    from howto.plugins import load

    factory = load(kind, name)
    # A family's `variant(argument, **options)` hands on what its class takes.
    owner = getattr(getattr(factory, "func", None), "__self__", None)
    parameters = dict(inspect.signature(factory).parameters)
    if owner is not None and any(one.kind is one.VAR_KEYWORD for one in parameters.values()):
        parameters |= list(inspect.signature(owner).parameters.items())[1:]  # without the argument
    module = inspect.getmodule(owner or factory)
    names = vars(module) if module is not None else {}
    found = {
        key: _type(one, names)
        for key, one in parameters.items()
        if one.kind in (one.KEYWORD_ONLY, one.POSITIONAL_OR_KEYWORD)
    }
    return {key: wanted for key, wanted in found.items() if _is_typed(wanted)}


def _type(parameter: inspect.Parameter, names: dict[str, Any]) -> Any:
    """The annotation; where there is none, what the default is."""
    wanted = parameter.annotation
    if wanted is parameter.empty:
        default = parameter.default
        return str if default in (None, parameter.empty) else type(default)
    if not isinstance(wanted, str):
        return wanted
    try:
        holder = types.SimpleNamespace(__annotations__={"it": wanted})
        return typing.get_type_hints(holder, globalns=names)["it"]
    except NameError:  # imported for a type checker alone: an object
        return object


def _is_typed(wanted: Any) -> bool:
    return any(_reads(one) for one in _choices(wanted))


def _reads(wanted: Any) -> bool:
    origin = typing.get_origin(wanted)
    if origin in _ROWS:
        return any(_reads(part) for one in typing.get_args(wanted) for part in _choices(one))
    return origin is typing.Literal or wanted in (bool, int, float, str)


def _choices(wanted: Any) -> tuple[Any, ...]:
    """The members of a union, or the one type."""
    if typing.get_origin(wanted) in (typing.Union, types.UnionType):
        return typing.get_args(wanted)
    return (wanted,)


def _value(text: str, raw: str, wanted: Any) -> Value:
    choices = _choices(wanted)
    if type(None) in choices and raw.lower() == "none":
        return None
    # A text is what anything can be read as, so it is tried last.
    for one in sorted((one for one in choices if _reads(one)), key=lambda one: one is str):
        try:
            return _read(raw, one)
        except ValueError:
            continue
    expected = " or ".join(_described(one) for one in choices)
    raise UsageError(f"--option {text}: expected {expected}, found {raw!r}")


def _read(raw: str, wanted: Any) -> Value:
    origin = typing.get_origin(wanted)
    if origin in _ROWS:
        inner = next(one for one in _choices(typing.get_args(wanted)[0]) if _reads(one))
        return tuple(_read(part.strip(), inner) for part in raw.split(",") if part.strip())
    if origin is typing.Literal:
        found: list[Value] = [one for one in typing.get_args(wanted) if str(one) == raw]
        return found[0] if found else _refuse(raw)
    if wanted is bool:
        return _TRUTH[raw.lower()] if raw.lower() in _TRUTH else _refuse(raw)
    if wanted is float and not math.isfinite(float(raw)):
        _refuse(raw)
    return typing.cast("Value", wanted(raw))


def _refuse(raw: str) -> typing.NoReturn:
    raise ValueError(raw)


def _described(wanted: Any) -> str:
    """A type in words, for an error."""
    origin = typing.get_origin(wanted)
    if origin in _ROWS:
        inner = " or ".join(_described(one) for one in _choices(typing.get_args(wanted)[0]))
        return f"several with commas, each {inner}"
    if origin is typing.Literal:
        return ", ".join(map(str, typing.get_args(wanted)))
    return _WORDS.get(wanted, "a text")
