"""`howto models` as a person reads it."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from howto.cli.console import output
from howto.joint.known import known_models

NAME = "fold-a-shirt-" + "x" * 53


@pytest.mark.parametrize("width", [40, 60, 80, 100, 140])
def test_a_long_name_costs_no_other_column(
    cli: Callable, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    one = replace(known_models(None)[0], name=NAME, dim=512, size=605_000_000, licence="MIT")
    monkeypatch.setattr("howto.joint.known.known_models", lambda _: [one])
    monkeypatch.setattr(output, "_width", width)
    lines = cli("models").out.partition("\n\n")[0].splitlines()
    assert max(len(line.rstrip()) for line in lines) <= width
    words = " ".join(lines).split()
    assert {"kind", "dim", "512", "MB", "605", "licence", "MIT", "weights"} <= set(words)
    assert sum(line.count("x") for line in lines) == 53
    assert (NAME in words) == (width == 140)
