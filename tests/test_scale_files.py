"""The files of docs/scale: shell that parses, YAML that is YAML, and commands that exist."""

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from howto.cli.main import COMMANDS, load_command

DOCS = Path(__file__).resolve().parents[1] / "docs"
FILES = sorted((DOCS / "scale").iterdir())
SHELL = [path for path in FILES if path.suffix in (".sh", ".sbatch")]
KUBERAY = DOCS / "scale" / "kuberay-extract.yaml"

COMMAND = re.compile(rf"\bhowto ({'|'.join(COMMANDS)}) ([^#`]*)")
"""A command at work, not one that prose names."""


def commands_in(path: Path) -> list[list[str]]:
    """The commands of a file, each as `howto` would get its words."""
    if path.suffix == ".yaml":
        texts = [yaml.safe_load(path.read_text())["spec"]["entrypoint"]]
    elif path.suffix == ".md":
        texts = [one for one in path.read_text().splitlines() if one.startswith("    ")]
    else:
        lines = path.read_text().replace("\\\n", " ").splitlines()
        texts = [one for one in lines if not one.startswith("#")]
    found = [COMMAND.search(text) for text in texts]
    return [[one[1], *(_word(word) for word in shlex.split(one[2]))] for one in found if one]


def _word(word: str) -> str:
    """A variable stands for some text; one with a default that is empty for the option it names."""
    option = re.fullmatch(r"\$\{(\w+):-\}", word)
    return f"--{option[1].lower()}" if option else word


@pytest.mark.parametrize("path", SHELL, ids=lambda path: path.name)
def test_shell_parses(path: Path) -> None:
    subprocess.run(["bash", "-n", path], check=True)
    assert path.read_text().startswith("#!/bin/bash\n")


def test_the_ray_cluster_is_whole() -> None:
    told = yaml.safe_load(KUBERAY.read_text())
    assert told["kind"] == "RayJob"
    cluster = told["spec"]["rayClusterSpec"]
    (workers,) = cluster["workerGroupSpecs"]
    for group in (cluster["headGroupSpec"], workers):
        pod: dict[str, Any] = group["template"]["spec"]
        (container,) = pod["containers"]
        volumes = {one["name"] for one in pod["volumes"]}
        assert {one["name"] for one in container["volumeMounts"]} == volumes
        assert container["image"] == "my-registry/howto:0.1.0"
    # What one actor takes must fit into a worker, or none ever starts.
    (command,) = commands_in(KUBERAY)
    shares = dict(one.split("=") for one in command[command.index("--resources") + 1].split(","))
    limits = workers["template"]["spec"]["containers"][0]["resources"]["limits"]
    assert float(shares["gpu"]) <= float(limits["nvidia.com/gpu"])
    assert float(shares["cpu"]) <= float(limits["cpu"])


@pytest.mark.parametrize("path", [*FILES, DOCS / "scale.md"], ids=lambda path: path.name)
def test_every_command_is_one(path: Path) -> None:
    """Parsed by the command tree itself, so that a renamed option is seen here."""
    commands = commands_in(path)
    assert commands
    for name, *words in commands:
        load_command(name).make_context(name, words)
