"""What a client may name."""

from pathlib import Path

import pytest

from howto.errors import UsageError
from howto.library import Library
from howto.serve.answers import check_model


def test_a_model_is_one_that_is_here_whatever_its_name_holds(
    videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = "clip:hf-hub:somebody/some-model"
    monkeypatch.setattr("howto.serve.answers.models_in_use", lambda library: [ready])
    with Library.open(videos) as library:
        for name in ("", "auto", "none", ready):
            check_model(library, name)
        for name in ("somebody/some-model", "/etc", "../runs/x", "~root/run", "clip:", "C:\\x"):
            with pytest.raises(UsageError, match="no model named"):
                check_model(library, name)
