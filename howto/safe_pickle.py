"""Pickles from elsewhere, read without running anything: `load`.

Python's own reader calls what a pickle names. Allowing numpy's names in it is not enough: a forged
type makes numpy take bytes for pointers, and a forged memo or tuple ends the process. This one is a
machine of its own for the part of the format that plain data is written with. It looks names up in
a closed list of stand-ins, calls nothing else, and makes arrays of plain numbers alone, from bytes
that are in the file.

Source: the opcodes of CPython's `pickletools`, protocols 0 to 5, and what numpy 1 and 2 write.
"""

import math
import pickle
import re
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from howto.errors import PickleError

__all__ = ["load"]


def load(source: Path | bytes) -> object:
    """Read a pickle of plain data; nothing in it is run.

    It may hold dicts, lists, tuples, sets, text, bytes, numbers, None, and numpy's arrays and
    numbers. Ordered and default dicts become dicts, bytearrays bytes. Arrays of numbers are numpy
    arrays of the same shape and type; arrays of objects and of text become lists, nested for more
    than one dimension. A number of numpy's becomes Python's. Strings of Python 2 are taken as
    UTF-8. Keys are text, bytes, numbers or None, or flat tuples of these.

    Args:
        source: a file, or its bytes; the whole is in memory while it is read.

    Raises:
        PickleError: it is damaged, or holds anything else; the message says at which byte.
        OSError: the file cannot be read.
    """
    machine = _Machine(source if isinstance(source, bytes) else source.read_bytes())
    try:
        return machine.run()
    except _DAMAGE as error:
        what = str(error) if isinstance(error, ValueError | OverflowError) else "cut off or damaged"
        raise PickleError(f"damaged pickle at byte {machine.at}: {what}") from error


# What bytes that are no pickle lead to: indices past an end, marks and memos that are not there,
# text that is none, shapes that do not fit.
_DAMAGE = (IndexError, KeyError, ValueError, OverflowError, struct.error)

_Code = Callable[["_Machine"], None]

_DOUBLE = struct.Struct(">d")
_BYTE, _U2, _I4, _U4, _U8 = (struct.Struct(f"<{code}") for code in "BHiIQ")

# Python 2 writes text as its repr. Checked, because Python warns of escapes that it does not know.
_REPR = re.compile(
    rb"'((?:[^\\']|\\[\\'nrt]|\\x[0-9a-f]{2})*)'"
    rb'|"((?:[^\\"]|\\[\\"\'nrt]|\\x[0-9a-f]{2})*)"'
)

# Hashing calls back into what a key holds: a tuple nested a million deep would end the process.
_KEYS = frozenset({str, int, float, complex, bytes, bool, type(None)})

_NUMBERS = frozenset("b1 i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8 c8 c16".split())
_TEXT = re.compile(r"([US])([1-9]\d{0,8})", re.ASCII)
_OBJECTS = ("O", "O4", "O8")
_MOST_DIMENSIONS = 32


@dataclass(frozen=True, slots=True)
class _Name:
    """A name that a pickle may use, and what stands in for calling it; None: it is never called."""

    name: str
    make: Callable[..., object] | None = None


@dataclass(slots=True)
class _Type:
    """numpy's description of a type: such as `f8`, and the order of its bytes."""

    name: str
    order: str = "="


@dataclass(frozen=True, slots=True)
class _Unbuilt:
    """An array before its state is there."""

    places: list[int]  # of the memo, that hold it


_STAND_INS = (_Name, _Type, _Unbuilt)


class _Machine:
    """Reads one pickle, opcode by opcode, onto a stack."""

    __slots__ = ("at", "below", "data", "memo", "named", "stack")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []  # the stacks below each mark
        self.memo: dict[int, Any] = {}
        self.named = False  # a name was used, so stand-ins may be about

    def run(self) -> object:
        """Return what the pickle holds."""
        data, operations, stop = self.data, _OPERATIONS, pickle.STOP[0]
        while (code := data[self.at]) != stop:
            operation = operations[code]
            if operation is None:
                self.refuse(f"opcode {code:#04x}: expected containers, text, numbers and arrays")
            self.at += 1
            operation(self)
        found = self.stack.pop()
        if self.named:
            _check_plain(found, self.refuse)
        return found

    def refuse(self, what: str) -> NoReturn:
        """Raise for what no pickle of plain data holds."""
        raise PickleError(f"at byte {self.at} of the pickle: {what}")

    # Reading.

    def take(self, count: int) -> bytes:
        """The next bytes."""
        end = self.at + count
        if not self.at <= end <= len(self.data):
            raise IndexError
        found = self.data[self.at : end]
        self.at = end
        return found

    def number(self, form: struct.Struct) -> int:
        """The next number of that form."""
        value: int = form.unpack_from(self.data, self.at)[0]
        self.at += form.size
        return value

    def row(self) -> bytes:
        """What is before the next newline, which is gone past."""
        end = self.data.index(b"\n", self.at)
        found = self.data[self.at : end]
        self.at = end + 1
        return found

    # The stack.

    def items(self) -> list[Any]:
        """What is above the last mark, which goes."""
        found = self.stack
        self.stack = self.below.pop()
        return found

    def top(self, kind: type) -> Any:
        """The object on top, which has to be of that type."""
        found = self.stack[-1]
        if type(found) is not kind:
            self.refuse(f"expected a {kind.__name__} to fill, found {type(found).__name__}")
        return found

    def remember(self, place: int) -> None:
        """Put the object on top into the memo."""
        found = self.memo[place] = self.stack[-1]
        if type(found) is _Unbuilt:
            found.places.append(place)


# Opcodes, by what they put on the stack.


def _constant(value: object) -> _Code:
    return lambda machine: machine.stack.append(value)


def _integer(form: struct.Struct) -> _Code:
    return lambda machine: machine.stack.append(machine.number(form))


def _sized(form: struct.Struct, made: Callable[[bytes], object]) -> _Code:
    """A length and as many bytes."""
    return lambda machine: machine.stack.append(made(machine.take(machine.number(form))))


def _written(made: Callable[[bytes], object]) -> _Code:
    """A row of text."""
    return lambda machine: machine.stack.append(made(machine.row()))


def _binfloat(machine: _Machine) -> None:
    at = machine.at
    machine.stack += _DOUBLE.unpack_from(machine.data, at)
    machine.at = at + 8


def _short_text(machine: _Machine) -> None:
    """The commonest of all, so it is written out."""
    at = machine.at + 1
    machine.at = end = at + machine.data[at - 1]
    if end > len(machine.data):
        raise IndexError
    machine.stack.append(machine.data[at:end].decode("utf-8", "surrogatepass"))


def _unicode(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogatepass")


def _old_text(raw: bytes) -> str:
    """A string of Python 2: text, or bytes, which `_raw` then finds again."""
    return raw.decode("utf-8", "surrogateescape")


def _old_repr(raw: bytes) -> str:
    found = _REPR.fullmatch(raw.strip())
    if found is None:
        raise ValueError(f"expected text in quotes, found {raw[:40]!r}")
    inner = found[1] if found[1] is not None else found[2]
    return _old_text(inner.decode("unicode_escape").encode("latin1"))


def _old_integer(raw: bytes) -> int | bool:
    return raw == b"01" if raw in (b"00", b"01") else int(raw)


def _long(raw: bytes) -> int:
    return int.from_bytes(raw, "little", signed=True)


# Containers.


def _mark(machine: _Machine) -> None:
    machine.below.append(machine.stack)
    machine.stack = []


def _empty(kind: Callable[[], object]) -> _Code:
    return lambda machine: machine.stack.append(kind())


def _tuple_of(count: int) -> _Code:
    def make(machine: _Machine) -> None:
        stack = machine.stack
        if len(stack) < count:
            raise IndexError
        stack[-count:] = [tuple(stack[-count:])]

    return make


def _of_items(made: Callable[[list[Any]], object]) -> _Code:
    def make(machine: _Machine) -> None:
        items = machine.items()
        machine.stack.append(made(items))

    return make


def _append(machine: _Machine) -> None:
    item = machine.stack.pop()
    machine.top(list).append(item)


def _appends(machine: _Machine) -> None:
    items = machine.items()
    machine.top(list).extend(items)


def _add_items(machine: _Machine) -> None:
    items = machine.items()
    machine.top(set).update(_keys(items))


def _set_item(machine: _Machine) -> None:
    value, key = machine.stack.pop(), machine.stack.pop()
    machine.top(dict).update(_dict([key, value]))


def _set_items(machine: _Machine) -> None:
    items = machine.items()
    machine.top(dict).update(_dict(items))


def _dict(items: list[Any]) -> dict[Any, Any]:
    """A dict of keys and values in turn."""
    return dict(zip(_keys(items[::2]), items[1::2], strict=True))


def _keys(found: Sequence[Any]) -> Sequence[Any]:
    """The same, if all of it can be a key or in a set."""
    for key in found:
        if type(key) not in _KEYS and not (
            type(key) is tuple and _KEYS.issuperset(type(part) for part in key)
        ):
            raise ValueError(f"expected text, bytes or a number as a key, found {type(key)}")
    return found


# The memo.


def _put(place: Callable[[_Machine], int]) -> _Code:
    return lambda machine: machine.remember(place(machine))


def _get(place: Callable[[_Machine], int]) -> _Code:
    return lambda machine: machine.stack.append(machine.memo[place(machine)])


def _memoize(machine: _Machine) -> None:
    machine.remember(len(machine.memo))


def _place(form: struct.Struct) -> Callable[[_Machine], int]:
    return lambda machine: machine.number(form)


def _written_place(machine: _Machine) -> int:
    return int(machine.row())


# Names and what stands in for them.


def _global(machine: _Machine) -> None:
    _push_name(machine, _old_text(machine.row()), _old_text(machine.row()))


def _stack_global(machine: _Machine) -> None:
    name, module = machine.stack.pop(), machine.stack.pop()
    _push_name(machine, str(module), str(name))


def _push_name(machine: _Machine, module: str, name: str) -> None:
    found = _NAMES.get((module, name))
    if found is None:
        machine.refuse(
            f"it names {module[:60]}.{name[:60]}: expected containers, text, numbers and numpy "
            "arrays alone"
        )
    machine.named = True
    machine.stack.append(found)


def _reduce(machine: _Machine) -> None:
    arguments, called = machine.stack.pop(), machine.stack.pop()
    if type(called) is not _Name or called.make is None or type(arguments) is not tuple:
        machine.refuse(f"a call of {_said(called)}: expected one that makes plain data")
    try:
        made = called.make(*arguments)
    except TypeError as error:
        raise ValueError(f"{called.name}: {error}") from error
    machine.stack.append(made)


def _build(machine: _Machine) -> None:
    state, target = machine.stack.pop(), machine.stack[-1]
    if type(state) is not tuple:
        machine.refuse(f"a state of {type(state).__name__}: expected a tuple")
    if type(target) is _Type:
        _, target.order, *described = state
        if described[:3] != [None, None, None] or target.order not in ("<", ">", "=", "|"):
            machine.refuse("an array of records: expected plain numbers or text")
    elif type(target) is _Unbuilt:
        _, shape, kind, by_columns, raw = state
        machine.stack[-1] = made = _array(raw, kind, shape, "F" if by_columns else "C")
        machine.memo.update(dict.fromkeys(target.places, made))
    else:
        machine.refuse(f"a state for {_said(target)}: expected an array")


def _said(found: object) -> str:
    return found.name if isinstance(found, _Name) else type(found).__name__


def _encoded(text: object, encoding: object) -> bytes:
    """Old pickles write bytes as a call that encodes text; this is the only encoding they use."""
    if type(text) is not str or encoding not in ("latin1", "latin-1"):
        raise ValueError(f"bytes encoded as {encoding!r:.40}: expected latin1")
    return text.encode("latin1")


def _bytes(*content: object) -> bytes:
    """`bytes()`, `bytearray(...)`: never a call with a length."""
    if len(content) == 2:
        return _encoded(*content)
    return b"".join(_raw(one) for one in content)


def _listed(*content: object) -> list[Any]:
    """The items of a container that is made from a list."""
    if len(content) > 1 or any(type(one) not in (list, tuple) for one in content):
        raise ValueError("a container: expected it to be made from one list")
    return [item for one in content for item in _sequence(one)]


def _sequence(found: object) -> Iterable[Any]:
    return found if isinstance(found, list | tuple) else ()


def _from_rows(*content: object) -> dict[Any, Any]:
    rows = _listed(*content)
    if any(type(row) not in (list, tuple) or len(row) != 2 for row in rows):
        raise ValueError("a dict: expected it to be made from keys with values")
    return _dict([part for row in rows for part in row])


def _complex(real: object, imaginary: object) -> complex:
    if type(real) is not float or type(imaginary) is not float:
        raise ValueError("a complex number: expected two numbers")
    return complex(real, imaginary)


def _type(name: object, *_: object) -> _Type:
    if type(name) is not str or not (name in _NUMBERS or name in _OBJECTS or _TEXT.fullmatch(name)):
        raise ValueError(f"an array of type {name!r:.40}: expected plain numbers, text or objects")
    return _Type(name)


def _unbuilt(kind: object, *_: object) -> _Unbuilt:
    if kind is not _NDARRAY:
        raise ValueError(f"an array of class {_said(kind)}: expected numpy.ndarray")
    return _Unbuilt([])


def _scalar(kind: object, raw: object) -> object:
    made = _array(_raw(raw), kind, (), "C")
    return made if isinstance(made, str) else made.item()


def _from_buffer(raw: object, kind: object, shape: object, order: object) -> Any:
    return _array(raw, kind, shape, order)


def _array(raw: object, kind: object, shape: object, order: object) -> Any:
    """A numpy array of numbers, or a list of text or of objects; for no dimension the one text."""
    if type(kind) is not _Type or type(shape) is not tuple or len(shape) > _MOST_DIMENSIONS:
        raise ValueError("an array: expected a type and a shape")
    if any(type(length) is not int or length < 0 for length in shape) or order not in ("C", "F"):
        raise ValueError(f"an array of shape {shape!r:.60} and order {order!r:.20}")
    if kind.name in _OBJECTS:
        return _nested(raw if type(raw) is list else [], shape)
    if found := _TEXT.fullmatch(kind.name):
        if order == "F" and len(shape) > 1:
            raise ValueError("an array of text by columns: expected rows")
        return _nested(_texts(_raw(raw), found[1], int(found[2]), kind.order), shape)
    import numpy as np

    flat = np.frombuffer(_raw(raw), np.dtype(kind.order + kind.name))
    if len(flat) != math.prod(shape):
        raise ValueError(f"an array of shape {shape!r:.60}: {len(flat)} numbers are there")
    # Copied, because what lies over bytes cannot be written to.
    return flat.reshape(shape, order="F" if order == "F" else "C").copy()


def _raw(found: object) -> bytes:
    if isinstance(found, str):
        return found.encode("utf-8", "surrogateescape")
    if not isinstance(found, bytes):
        raise ValueError(f"an array's numbers: expected bytes, found {type(found).__name__}")
    return found


def _texts(raw: bytes, kind: str, length: int, order: str) -> list[Any]:
    """The texts of an array, each of so many characters, filled up with NULs."""
    size = length * (4 if kind == "U" else 1)
    pieces = [raw[at : at + size] for at in range(0, len(raw), size)]
    if kind == "S":
        return [_old_text(piece.rstrip(b"\0")) for piece in pieces]
    encoding = "utf-32-be" if order == ">" else "utf-32-le"
    return [piece.decode(encoding, "surrogatepass").rstrip("\0") for piece in pieces]


def _nested(items: list[Any], shape: tuple[int, ...]) -> Any:
    """Lists of lists of that shape."""
    if len(items) != math.prod(shape):
        raise ValueError(f"an array of shape {shape!r:.60}: {len(items)} items are there")
    if not items:
        return []
    for length in reversed(shape[1:]):
        items = [items[at : at + length] for at in range(0, len(items), length)]
    return items if shape else items[0]


def _check_plain(root: object, refuse: Callable[[str], NoReturn]) -> None:
    """Refuse stand-ins that were left where data belongs."""
    seen: set[int] = set()
    todo = [root]
    while todo:
        one = todo.pop()
        if isinstance(one, _STAND_INS):
            refuse(f"{_said(one)} as a value: expected containers, text, numbers and arrays")
        if isinstance(one, dict | list | tuple) and id(one) not in seen:
            seen.add(id(one))
            children = one.values() if isinstance(one, dict) else one
            todo += [child for child in children if type(child) not in _KEYS]


_NDARRAY = _Name("numpy.ndarray")
_CORES = ("numpy.core", "numpy._core")  # before numpy 2, and since
_BUILTINS: Mapping[str, Callable[..., object]] = {
    "dict": _from_rows,
    "list": _listed,
    "tuple": lambda *content: tuple(_listed(*content)),
    "set": lambda *content: set(_keys(_listed(*content))),
    "frozenset": lambda *content: frozenset(_keys(_listed(*content))),
    "bytes": _bytes,
    "bytearray": _bytes,
    "complex": _complex,
}
_NAMES: Mapping[tuple[str, str], _Name] = {
    ("numpy", "ndarray"): _NDARRAY,
    ("numpy", "dtype"): _Name("numpy.dtype", _type),
    **{
        (f"{core}.{module}", name): _Name(f"numpy's {name}", make)
        for core in _CORES
        for module, name, make in (
            ("multiarray", "_reconstruct", _unbuilt),
            ("multiarray", "scalar", _scalar),
            ("numeric", "_frombuffer", _from_buffer),
        )
    },
    ("_codecs", "encode"): _Name("encode", _encoded),
    ("collections", "OrderedDict"): _Name("OrderedDict", _from_rows),
    ("collections", "defaultdict"): _Name("defaultdict", lambda *_: {}),
    **{
        (module, name): _Name(name, make)
        for module in ("builtins", "__builtin__")
        for name, make in _BUILTINS.items()
    },
}


def _skip(count: int) -> _Code:
    """What says something about the file, not about the data."""

    def skip(machine: _Machine) -> None:
        machine.take(count)

    return skip


_BY_CODE: Mapping[bytes, _Code] = {
    pickle.PROTO: _skip(1),
    pickle.FRAME: _skip(8),
    pickle.NONE: _constant(None),
    pickle.NEWTRUE: _constant(True),
    pickle.NEWFALSE: _constant(False),
    pickle.INT: _written(_old_integer),
    pickle.LONG: _written(lambda raw: int(raw.rstrip(b"L"))),
    pickle.FLOAT: _written(float),
    pickle.BININT: _integer(_I4),
    pickle.BININT1: _integer(_BYTE),
    pickle.BININT2: _integer(_U2),
    pickle.LONG1: _sized(_BYTE, _long),
    pickle.LONG4: _sized(_I4, _long),
    pickle.BINFLOAT: _binfloat,
    pickle.STRING: _written(_old_repr),
    pickle.BINSTRING: _sized(_I4, _old_text),
    pickle.SHORT_BINSTRING: _sized(_BYTE, _old_text),
    pickle.UNICODE: _written(lambda raw: raw.decode("raw-unicode-escape")),
    pickle.SHORT_BINUNICODE: _short_text,
    pickle.BINUNICODE: _sized(_U4, _unicode),
    pickle.BINUNICODE8: _sized(_U8, _unicode),
    pickle.SHORT_BINBYTES: _sized(_BYTE, bytes),
    pickle.BINBYTES: _sized(_U4, bytes),
    pickle.BINBYTES8: _sized(_U8, bytes),
    pickle.BYTEARRAY8: _sized(_U8, bytes),
    pickle.MARK: _mark,
    pickle.EMPTY_LIST: _empty(list),
    pickle.EMPTY_DICT: _empty(dict),
    pickle.EMPTY_SET: _empty(set),
    pickle.EMPTY_TUPLE: _constant(()),
    pickle.LIST: _of_items(list),
    pickle.TUPLE: _of_items(tuple),
    pickle.DICT: _of_items(_dict),
    pickle.FROZENSET: _of_items(lambda items: frozenset(_keys(items))),
    pickle.TUPLE1: _tuple_of(1),
    pickle.TUPLE2: _tuple_of(2),
    pickle.TUPLE3: _tuple_of(3),
    pickle.APPEND: _append,
    pickle.APPENDS: _appends,
    pickle.ADDITEMS: _add_items,
    pickle.SETITEM: _set_item,
    pickle.SETITEMS: _set_items,
    pickle.PUT: _put(_written_place),
    pickle.BINPUT: _put(_place(_BYTE)),
    pickle.LONG_BINPUT: _put(_place(_U4)),
    pickle.MEMOIZE: _memoize,
    pickle.GET: _get(_written_place),
    pickle.BINGET: _get(_place(_BYTE)),
    pickle.LONG_BINGET: _get(_place(_U4)),
    pickle.GLOBAL: _global,
    pickle.STACK_GLOBAL: _stack_global,
    pickle.REDUCE: _reduce,
    pickle.BUILD: _build,
}
_OPERATIONS: Sequence[_Code | None] = [_BY_CODE.get(bytes([code])) for code in range(256)]
