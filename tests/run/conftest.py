"""A Ray cluster of two machines, which are processes on loopback."""

import os
from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Two nodes of one core each; this process is connected to them as a driver."""
    pytest.importorskip("ray", reason="needs howto[ray]")
    folder = tmp_path_factory.mktemp("for_actors")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        # Actors inherit where modules lie from the node that starts them.
        patch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        import ray
        from ray.cluster_utils import Cluster

        made = Cluster(
            initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False}
        )
        made.folder = folder
        made.second = made.add_node(num_cpus=1)
        ray.init(address=made.address, log_to_driver=False, logging_level="error")
        made.wait_for_nodes()
        try:
            yield made
        finally:
            ray.shutdown()
            made.shutdown()
