"""Fetch the weights of a ready model, by the plugin's own way of loading, with its checks.

What a plugin fetches is checked against the published hash, or that of the first time it was seen
(`howto.extract.weights`), or by the hub it comes from; nothing in it is executed.
"""

from dataclasses import dataclass

from howto import plugins
from howto.errors import PluginError, UnknownPlugin, UsageError
from howto.extract.weights import resolve, without_downloads
from howto.joint.known import AUTHORS_MODEL, AUTHORS_WEIGHTS, ModelInfo, known_models
from howto.joint.places import what_there_is
from howto.library import Library

__all__ = ["Fetched", "fetch", "fetchable"]


@dataclass(frozen=True, slots=True)
class Fetched:
    """Weights that are there.

    Attributes:
        info: the model, as it is known now.
        sha256: of its weights, 64 hexadecimal digits.
        was_here: nothing had to be fetched.
    """

    info: ModelInfo
    sha256: str
    was_here: bool


def fetchable(library: Library | None, name: str) -> ModelInfo:
    """What is known of a model whose weights could be fetched; a member of a family that its
    plugin does not list has no size, licence or page.

    Raises:
        UsageError: a run, or nothing has that name.
    """
    listed = {one.name: one for one in known_models(library)}
    found = listed.get(name)
    if found is not None and found.kind == "run":
        raise UsageError(f"{name!r} is a run of this library: nothing of it is to be fetched")
    if found is not None:
        return found
    try:
        plugins.find("models", name)
    except UnknownPlugin as error:
        raise UsageError(f"no model named {name!r}. {what_there_is(library)}") from error
    return ModelInfo(name, "ready", None, None, "", None)


def fetch(library: Library | None, name: str) -> Fetched:
    """Have the weights of a model here, fetching what is missing.

    Raises:
        UsageError: as `fetchable`.
        PluginError: they cannot be fetched, or are not what was published.
    """
    fetchable(library, name)
    try:
        with without_downloads():
            sha256, was_here = _hash(name), True
    except PluginError:
        sha256, was_here = _hash(name), False
    return Fetched(fetchable(library, name), sha256, was_here)


def _hash(name: str) -> str:
    """The hash of a model's weights, which are fetched where that is allowed."""
    if name == AUTHORS_MODEL:
        return resolve(AUTHORS_WEIGHTS, AUTHORS_MODEL).sha256
    model = plugins.create("models", name)
    if not hasattr(model, "weights_hash"):
        raise PluginError(
            f"{name} does not fetch its weights by itself: its plugin has no weights_hash"
        )
    found: str = model.weights_hash(getattr(model, "fetch_as", None))
    return found
