"""What is public is written down: `__all__` of every module names all of it, and nothing else."""

import importlib
import inspect
import pkgutil

import pytest

import howto

MODULES = sorted(module.name for module in pkgutil.walk_packages(howto.__path__, "howto."))


@pytest.mark.parametrize("name", MODULES)
def test_all_is_complete_and_true(name: str) -> None:
    module = importlib.import_module(name)
    listed = getattr(module, "__all__", [])
    assert len(listed) == len(set(listed))
    for public in listed:
        assert hasattr(module, public)
    defined = {
        public
        for public, value in vars(module).items()
        if not public.startswith("_")
        and (inspect.isclass(value) or inspect.isfunction(value))
        and value.__module__ == name
    }
    # What stands in a public table (such as MOTIONS) is reached through it.
    tables = [getattr(module, public) for public in listed]
    tabled = {
        value.__name__
        for table in tables
        if isinstance(table, dict)
        for value in table.values()
        if callable(value)
    }
    assert defined - set(listed) - tabled == set()


@pytest.mark.parametrize("name", MODULES)
def test_what_is_public_is_described(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__, "a module says what it is"
    for public in getattr(module, "__all__", []):
        value = getattr(module, public)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert inspect.getdoc(value), f"{public} has no docstring"
