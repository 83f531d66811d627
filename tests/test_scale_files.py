"""The files of docs/scale: shell that parses, YAML that is YAML, and commands that exist."""

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from howto.cli.main import COMMANDS, load_command

DOCS = Path(__file__).resolve().parents[1] / "docs"
FILES = sorted((DOCS / "scale").iterdir())
SHELL = [path for path in FILES if path.suffix in (".sh", ".sbatch")]
KUBERAY = DOCS / "scale" / "kuberay-extract.yaml"

COMMAND = re.compile(rf"\bhowto ({'|'.join(COMMANDS)}) ([^#`&]*)")
"""A command at work, not one that prose names."""


def commands_in(path: Path) -> list[list[str]]:
    """The commands of a file, each as `howto` would get its words."""
    if path.suffix == ".yaml":
        texts = [yaml.safe_load(path.read_text(encoding="utf-8"))["spec"]["entrypoint"]]
    elif path.suffix == ".md":
        texts = [
            one for one in path.read_text(encoding="utf-8").splitlines() if one.startswith("    ")
        ]
    else:
        lines = path.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
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
    assert path.read_text(encoding="utf-8").startswith("#!/bin/bash\n")


SRUN = """#!/bin/bash
while [[ $1 == --* ]]; do shift; done
exec "$@"
"""
HOWTO = f"""#!{sys.executable}
import os, signal, time
from pathlib import Path
assert len(os.environ["RAY_AUTH_TOKEN"]) == 64
signal.signal(signal.SIGINT, signal.default_int_handler)
Path("howto.pid.part").write_text(str(os.getpid()))
Path("howto.pid.part").rename("howto.pid")  # it is read as soon as it is there
try:
    time.sleep(600)
except KeyboardInterrupt:
    time.sleep(0.5)
    Path("stopped").touch()
    raise SystemExit(130)
"""
FAKES = {
    "scontrol": "#!/bin/bash\nprintf 'one\\ntwo\\n'\n",
    "srun": SRUN,
    "ray": '#!/bin/bash\necho "$SRUN_CPUS_PER_TASK cores: $*" >> ray.said\n',
    "sleep": "#!/bin/bash\n:\n",
    "howto": HOWTO,
    "scancel": '#!/bin/bash\n[[ $* == "--signal=INT 7.2" ]] && kill -INT "$(cat howto.pid)"\n',
}


def test_the_signal_before_the_time_limit_reaches_howto(tmp_path: Path) -> None:
    """SLURM's `--signal=B:` is for the shell alone, which waits for its child."""
    for name, text in FAKES.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    given = {"LIBRARY": "x", "SLURM_JOB_NODELIST": "one,two", "SLURM_JOB_ID": "7"}
    given |= {"SLURM_CPUS_PER_TASK": "64", "SLURM_GPUS_ON_NODE": "8"}
    path = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    job = subprocess.Popen(
        ["bash", DOCS / "scale" / "slurm-extract.sbatch"],
        cwd=tmp_path,
        env=os.environ | given | path,
        start_new_session=True,
    )
    try:
        while not (tmp_path / "howto.pid").exists():
            assert job.poll() is None
            time.sleep(0.05)
        os.kill(job.pid, signal.SIGINT)
        assert job.wait(120) == 130
        assert (tmp_path / "stopped").exists()
        said = (tmp_path / "ray.said").read_text().splitlines()
        assert len(said) == 2
        for one in said:  # a step that does not say so has one core, and Ray no room for an actor
            assert one.startswith("64 cores: start")
            assert "--num-cpus=64 --num-gpus=8" in one
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(job.pid, signal.SIGKILL)


def test_the_ray_cluster_is_whole() -> None:
    told = yaml.safe_load(KUBERAY.read_text(encoding="utf-8"))
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
