"""yt-dlp's opener, which leaves no connection to the garbage collector.

Needs yt-dlp.
"""

import contextlib
import weakref
from typing import Any

from yt_dlp import YoutubeDL
from yt_dlp.networking.common import Response
from yt_dlp.networking.exceptions import HTTPError

__all__ = ["ClosingYoutubeDL"]


class ClosingYoutubeDL(YoutubeDL):  # type: ignore[misc]  # yt-dlp has no types
    """A YoutubeDL that knows which of the site's answers are open.

    yt-dlp closes an answer that was read to its end. One that broke off, or was not what was looked
    for, stays open in a circle of references until Python looks for such.
    """

    _answers: "weakref.WeakSet[Response]"

    def __init__(self, parameters: dict[str, Any]) -> None:
        self._answers = weakref.WeakSet()
        super().__init__(parameters)

    def urlopen(self, request: Any) -> Response:
        """As yt-dlp's; all that it asks of a site passes here."""
        try:
            answer = super().urlopen(request)
        except HTTPError as error:
            self._answers.add(error.response)
            raise
        self._answers.add(answer)
        return answer

    def close_answers(self) -> None:
        """Close those that are still open; nothing reads them any more. Raises nothing: what a site
        did before is what matters, and a connection that fails to close is gone as well."""
        try:
            for answer in list(self._answers):
                with contextlib.suppress(Exception):  # any of yt-dlp's kinds of connection
                    answer.close()
        finally:
            self._answers.clear()
