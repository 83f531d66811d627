"""What every kind is tested for: it is found by its name, and has what its contract lists."""

import inspect
from typing import Any, ClassVar

import pytest

from howto import plugins
from howto.contracts import CONTRACTS
from howto.errors import PluginError

__all__ = ["PluginContract", "expect"]


def expect(condition: object, message: str) -> None:
    """Fail the test with what was expected and what came instead."""
    __tracebackhide__ = True
    if not condition:
        pytest.fail(message)


class PluginContract:
    """Base of the suites; each test makes its backend anew unless the suite says otherwise.

    Attributes:
        kind: set by the suite.
        plugin: the name as a user asks for it, `mean-colour` or `torchvision:resnet18`. Set this.
        options: keyword options to construct the backend with, if it is to be tested with any.
    """

    kind: ClassVar[str]
    plugin: ClassVar[str] = ""
    options: ClassVar[dict[str, Any]] = {}

    def create(self) -> Any:
        """Construct the backend. Override to test a class that is not installed as a plugin."""
        return plugins.create(self.kind, self._name(), **self.options)

    def test_is_found_by_its_name(self) -> None:
        """The entry point, the attribute `name` and the naming rules agree."""
        name = self._name()
        base = name.partition(":")[0]
        expect(
            plugins.VALID_NAME.fullmatch(base),
            f"the name {base!r}: expected lower-case words and digits joined by hyphens",
        )
        try:
            plugin = plugins.find(self.kind, name)
        except PluginError as error:
            pytest.fail(f"{error} Is your package installed? Try: pip install -e .")
        own = self.create().name
        expect(own == name, f"{plugin}: expected its attribute name to be {name!r}, got {own!r}")

    def test_can_be_made_without_options(self) -> None:
        """`howto plugins` and the stages make a backend by its name alone."""
        if type(self).create is not PluginContract.create:
            pytest.skip("create() is overridden")
        plugins.create(self.kind, self._name())

    def test_has_what_the_contract_lists(self) -> None:
        """Attributes are there, and methods take the contract's arguments in its order."""
        contract, backend = CONTRACTS[self.kind], self.create()
        for attribute in contract.__annotations__:
            expect(hasattr(backend, attribute), f"expected an attribute {attribute}, there is none")
        for name, wanted in inspect.getmembers(contract, inspect.isfunction):
            if not name.startswith("_"):
                method = getattr(backend, name, None)
                expect(callable(method), f"expected a method {name}(), there is none")
                _expect_signature(name, wanted, method)

    def _name(self) -> str:
        what = f"the {plugins.noun(self.kind)} to test"
        expect(self.plugin, f"{type(self).__name__}: set `plugin` to the name of {what}")
        return self.plugin


def _expect_signature(name: str, wanted: Any, method: Any) -> None:
    """Compare parameters by name and order; a backend may have more, with defaults."""
    contract = list(inspect.signature(wanted).parameters.values())[1:]  # without self
    names = [parameter.name for parameter in contract]
    required = [p.name for p in contract if p.default is inspect.Parameter.empty]
    signature = inspect.signature(method)
    message = f"expected {name}({', '.join(map(str, contract))}), got {name}{signature}"
    try:
        given = list(signature.bind(*names).arguments)
        signature.bind(*required)
    except TypeError as error:
        pytest.fail(f"{message}: {error}")
    expect(given == names, message)
