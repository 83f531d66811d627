"""What a server was told: the folder it shows, whom it answers, and what it asks of them."""

import ipaddress
import secrets
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from howto.errors import UsageError
from howto.places import STATE_FOLDER, find, kept_in
from howto.search.phrases import shown

__all__ = ["SHORTEST_TOKEN", "Settings", "check_address", "without_places"]

SHORTEST_TOKEN = 16  # characters: with 62 of them to choose from, nobody guesses that


@dataclass(frozen=True, slots=True)
class Settings:
    """What a server was told.

    Attributes:
        folder: the folder whose videos are shown, absolute: a library's, or one inside it.
        state_dir: where the library's state is kept instead of `.howto` in it.
        names: host names it answers to, lower case, besides the number of the address that was
            connected to.
        token: what a client must know; '' where nothing is asked.
        follow_links: serve files that are links to places outside the library too.
    """

    folder: Path
    state_dir: Path | None = None
    names: frozenset[str] = frozenset({"localhost"})
    token: str = ""
    follow_links: bool = False


def without_places(settings: Settings, text: str, said: Sequence[str] = ()) -> str:
    """A text in which the library's folders are called by their names alone: where they lie on
    this machine is nobody's business who looks from another.

    Args:
        said: what the client said. Quoted in the text it stays as it is: else who guesses a place
            would see by the change that the guess is right.
    """
    for quoted in map(repr, said):
        if quoted in text:
            return quoted.join(without_places(settings, one, said) for one in text.split(quoted))
    state, folder = settings.state_dir, settings.folder
    places = {folder, *(kept_in(state.resolve(), folder) if state else find(folder))}
    for place in sorted(places, key=lambda one: len(one.parts), reverse=True):
        name = place.relative_to(place.parents[1]) if place.name == STATE_FOLDER else place.name
        text = text.replace(shown(place), shown(Path(name))).replace(str(place), str(name))
    return text


def check_address(host: str, token: str) -> frozenset[str]:
    """Refuse to listen where strangers are without asking them for anything.

    Args:
        host: the address or name to listen on.

    Returns:
        The host names to answer to.

    Raises:
        UsageError: the address is not this machine's own, and there is no token, or the token is
            short, or cannot be sent in a header.
    """
    if not all("!" <= character <= "~" for character in token):
        raise UsageError(
            "a token is made of letters, digits and signs of ASCII, without spaces, such as "
            f"{secrets.token_urlsafe(SHORTEST_TOKEN)}"
        )
    if token and len(token) < SHORTEST_TOKEN:
        raise UsageError(
            f"the token has {len(token)} characters; give it {SHORTEST_TOKEN} at least, such as "
            f"{secrets.token_urlsafe(SHORTEST_TOKEN)}"
        )
    if not token and not _is_loopback(host):
        raise UsageError(
            f"{host} can be reached by others, who must show a token: "
            f"--host {host} --token {secrets.token_urlsafe(SHORTEST_TOKEN)} "
            "(or in the environment, as HOWTO_TOKEN)"
        )
    # A page of another site can have its own name lead to this machine, but not one of these.
    names = {"localhost", host.lower().strip("[]")}
    if not _is_loopback(host):
        names |= {socket.gethostname().lower(), socket.getfqdn().lower()}
    return frozenset(name for name in names if name not in ("0.0.0.0", "::", ""))  # noqa: S104


def _is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
