"""TensorBoard events of a run, where TensorBoard is installed (extra `tensorboard`)."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from howto.train.loop import Evaluated, Event, Stepped

__all__ = ["board"]

FOLDER = "tensorboard"


def board(run: Path, *, after_step: int = 0) -> Callable[[Event], None] | None:
    """Make what writes events; None where TensorBoard is not installed.

    Args:
        run: the folder of the run.
        after_step: what is there of later steps counts no more.
    """
    if find_spec("tensorboard") is None:
        return None
    from torch.utils.tensorboard import SummaryWriter

    # purge_step: the steps that a killed run did after its checkpoint are done again.
    writer = SummaryWriter(str(run / FOLDER), purge_step=after_step + 1)

    def write(event: Event) -> None:
        figures: dict[str, float] = {}
        if isinstance(event, Stepped):
            names = ("loss", "lr", "gradient", "pairs_per_second", "waiting")
            figures = {f"train/{name}": getattr(event, name) for name in names}
        elif isinstance(event, Evaluated):
            sorts = {"coarse": event.evaluation.coarse, "fine": event.evaluation.fine}
            for sort, found in sorts.items():
                for k, one in found.recalls.items() if found else ():
                    figures[f"{sort}/recall_at_{k}"] = one.value
        if not isinstance(event, Stepped | Evaluated):
            writer.flush()
            return
        for name, value in figures.items():
            writer.add_scalar(name, value, event.step)

    return write
