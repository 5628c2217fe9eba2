"""Whether there is anything to load from, said before the hub's client has tried for minutes."""

from __future__ import annotations

import huggingface_hub
import huggingface_hub.constants  # else it is there only where somebody else has asked for it
import pytest

from vlmkit.errors import CheckpointError
from vlmkit.hub import require_reachable


class Session:
    """An HTTP session that answers, or fails in its own way."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.asked: list[str] = []

    def head(self, address: str, timeout: float) -> None:
        self.asked.append(address)
        if self.error is not None:
            raise self.error


@pytest.fixture
def online(monkeypatch: pytest.MonkeyPatch) -> Session:
    session = Session()
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub, "get_session", lambda: session)
    return session


def test_a_file_in_the_cache_needs_no_hub(online: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *names, revision: "here")
    require_reachable("someone/something")
    assert not online.asked


def test_a_hub_that_answers_is_asked_once(online: Session) -> None:
    require_reachable("someone/something")
    assert len(online.asked) == 1


@pytest.mark.parametrize("offline", [True, False])
def test_without_a_hub_it_is_one_line(online: Session, monkeypatch: pytest.MonkeyPatch, offline: bool) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", offline)
    online.error = RuntimeError("no route")
    with pytest.raises(CheckpointError, match=r"cannot load 'someone/something'.*preset='tiny'") as caught:
        require_reachable("someone/something")
    assert "\n" not in str(caught.value)
    assert bool(online.asked) is not offline
