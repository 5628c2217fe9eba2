"""The Hugging Face hub, asked once before its client spends minutes on finding out that there is no network."""

from __future__ import annotations

from vlmkit.errors import CheckpointError

_PATIENCE_S = 10


def require_reachable(repository: str, filename: str = "config.json", revision: str | None = None) -> None:
    """Raises `CheckpointError` in one sentence unless the file is in the local cache or the hub answers."""
    from huggingface_hub import constants, get_session, try_to_load_from_cache

    if isinstance(try_to_load_from_cache(repository, filename, revision=revision), str):
        return
    answers = not constants.HF_HUB_OFFLINE
    try:
        if answers:
            get_session().head(constants.ENDPOINT, timeout=_PATIENCE_S)
    except Exception:  # the hub's HTTP library, and with it every error class, differs between its releases
        answers = False
    if not answers:
        raise CheckpointError(
            f"cannot load {repository!r}: it is neither a local folder nor in the local cache, and the hub does not "
            "answer; preset='tiny' (--preset tiny) works offline"
        )
