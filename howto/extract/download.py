"""One file from a web address: goes on where it broke off, and is whole and checked, or not there.

Needs the standard library and filelock. The part that has come lies beside as `<file>.part` with
what identifies the server's version of it; two processes that want the same file take turns.
"""

import hashlib
import http.client
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from filelock import FileLock

__all__ = ["DownloadFailed", "fetch"]

_BLOCK = 1 << 20  # bytes
_TIMEOUT = 60.0  # seconds without a byte
_TRIES_WITHOUT_PROGRESS = 3
_PAUSE = 1.0  # seconds before the second try, then twice as long each time
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d*/(\d+|\*)")


class DownloadFailed(Exception):
    """The file could not be fetched, or is not the one expected; the message says which."""


class _Interrupted(Exception):
    """The connection failed; what came before is good."""


@dataclass(slots=True)
class _Part:
    """What has come so far, and by which mark the server would know its version of the file."""

    path: Path

    @property
    def mark_file(self) -> Path:
        return self.path.with_name(f"{self.path.name}.mark")

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def mark(self) -> str:
        return self.mark_file.read_text() if self.mark_file.exists() else ""

    def drop(self) -> None:
        self.path.unlink(missing_ok=True)
        self.mark_file.unlink(missing_ok=True)


def fetch(
    address: str,
    path: Path,
    *,
    sha256: str = "",
    size: int | None = None,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Fetch a file; one that is there already is left as it is.

    Args:
        address: http or https.
        path: where to put it; its folder is made.
        sha256: what its hash must be, or begin with; '' where unknown.
        size: what its length in bytes must be; None where unknown.
        pause: waits some seconds between two tries.

    Raises:
        DownloadFailed: the server cannot be reached or refuses, or what came is something else. A
            part that is good so far is kept for the next time, what is wrong is removed.
    """
    if not address.startswith(("https://", "http://")):
        raise DownloadFailed(f"not a web address: {address}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock"):
            if not path.is_file():
                part = _Part(path.with_name(f"{path.name}.part"))
                _complete(address, part, bool(sha256), pause)
                _check(part, sha256, size)
                part.path.replace(path)
                part.mark_file.unlink(missing_ok=True)
    except OSError as error:
        raise DownloadFailed(f"{path.parent}: {error.strerror or error}") from error


def _complete(address: str, part: _Part, has_hash: bool, pause: Callable[[float], None]) -> None:
    """Ask until all has come; give up after a few tries in a row that bring nothing."""
    tries, largest = 0, part.size
    while True:
        try:
            if _ask(address, part, has_hash):
                return
            said = "the connection ended before the file"
        except urllib.error.HTTPError as error:
            if error.code < 500 and error.code not in (408, 429):
                raise DownloadFailed(f"{address}: {error.code} {error.reason}") from error
            said = f"{error.code} {error.reason}"
        except urllib.error.URLError as error:
            said = str(error.reason)
        except _Interrupted as error:
            said = str(error)
        # A part that began anew has to become longer than any before it: else a server that breaks
        # off early each time would be asked for ever.
        tries = 0 if part.size > largest else tries + 1
        largest = max(largest, part.size)
        if tries == _TRIES_WITHOUT_PROGRESS:
            raise DownloadFailed(f"{address}: {said}")
        pause(_PAUSE * 2**tries)


def _ask(address: str, part: _Part, has_hash: bool) -> bool:
    """Ask once for what is missing; tell whether all is there now."""
    if part.size and not (part.mark or has_hash):
        part.drop()  # nothing would show that the rest belongs to another version
    request = urllib.request.Request(address, headers=_headers(part))  # noqa: S310 checked in fetch
    try:
        with _OPENER.open(request, timeout=_TIMEOUT) as response:
            return _receive(response, part)
    except (http.client.HTTPException, ConnectionError, TimeoutError) as error:
        raise _Interrupted(str(error) or type(error).__name__) from error
    except urllib.error.HTTPError as error:
        with error:
            if error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise
            if _total(error.headers.get("Content-Range", "")) == part.size:
                return True  # it broke off between the last byte and the renaming
    part.drop()
    return False


def _headers(part: _Part) -> dict[str, str]:
    headers = {"User-Agent": "howto", "Accept-Encoding": "identity"}
    if part.size:
        headers["Range"] = f"bytes={part.size}-"
        if part.mark:
            headers["If-Range"] = part.mark
    return headers


def _receive(response: Any, part: _Part) -> bool:
    begins = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    goes_on = response.status == http.client.PARTIAL_CONTENT
    if goes_on and (begins is None or int(begins[1]) != part.size):
        part.drop()
        return False
    if not goes_on:
        part.drop()
        _keep_mark(response.headers, part)
    length = response.headers.get("Content-Length")
    came = 0
    with part.path.open("ab" if goes_on else "wb") as file:
        for block in _blocks(response):
            file.write(block)
            came += len(block)
        _to_disk(file)
    return length is None or came == int(length)


def _blocks(response: Any) -> Iterator[bytes]:
    """Keep errors of the network apart from those of the disk."""
    try:
        while block := response.read(_BLOCK):
            yield block
    except (http.client.HTTPException, OSError) as error:
        raise _Interrupted(str(error) or type(error).__name__) from error


def _keep_mark(headers: Any, part: _Part) -> None:
    """A weak ETag does not stand for the same bytes, so it is no mark (RFC 9110, 13.1.5)."""
    mark = headers.get("ETag") or ""
    if mark and not mark.startswith("W/"):
        part.mark_file.write_text(mark)


def _to_disk(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _total(content_range: str) -> int | None:
    total = content_range.rpartition("/")[2]
    return int(total) if total.isdigit() else None


def _check(part: _Part, sha256: str, size: int | None) -> None:
    if size is not None and part.size != size:
        found, expected = f"{part.size} bytes", f"{size}"
    else:
        with part.path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found.startswith(sha256):
            return
        found, expected = f"the SHA-256 {found}", sha256
    part.drop()
    raise DownloadFailed(f"what came has {found}, expected {expected}; it was removed")


class _NoDowngrade(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but not from https to an address that anybody on the way may answer."""

    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        if req.full_url.startswith("https://") and not newurl.startswith("https://"):
            raise DownloadFailed(f"{req.full_url} redirects to {newurl}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


_OPENER = urllib.request.build_opener(_NoDowngrade)
