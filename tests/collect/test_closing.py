"""No connection to a site is left open, whatever became of the others."""

import io

import pytest
from yt_dlp.networking.common import Response

from howto.collect.ytdlp import Asking, Site
from howto.errors import ItemError, Reason


class Reset(io.BytesIO):
    """A connection that the site broke off."""

    def close(self) -> None:
        super().close()
        raise ConnectionResetError("reset by peer")


def test_one_that_fails_to_close_hides_neither_the_sites_error_nor_the_others() -> None:
    site = Site(Asking())
    opened = site._opened()
    connections = [Reset(), io.BytesIO(), Reset(), io.BytesIO()]
    answers = [Response(one, "https://films.example/", {}) for one in connections]
    opened._answers.update(answers)

    def work() -> None:
        raise ItemError(Reason.GONE)

    with pytest.raises(ItemError) as caught:
        site._ask(work)
    assert caught.value.reason is Reason.GONE
    assert all(connection.closed for connection in connections)
    assert not opened._answers
