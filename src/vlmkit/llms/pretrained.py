"""Weights of a hub id or a local directory, whole and safe, or one line that says why not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vlmkit.errors import CheckpointError
from vlmkit.hub import opened, refuse_gaps, require_reachable
from vlmkit.placement import Placement


def load_pretrained(
    models: Any, processors: Any, source: str | Path, where: Placement, revision: str | None = None
) -> tuple[Any, Any, str | None]:
    """The model in eval mode, its tokenizer or processor, and the hub's commit (None for a directory).

    Args:
        models, processors: auto classes of `transformers`.

    Raises `CheckpointError` for weights that are not there, only as pickles, or not all there.
    """
    hf, processor, report = opened(models, processors, source, revision=revision, **where.loading())
    refuse_gaps(source, report)
    if where.quantization is None:
        hf = hf.to(where.device)
    commit = revision or getattr(hf.config, "_commit_hash", None)  # what the hub's branch stood for just now
    return hf.eval(), processor, None if Path(source).is_dir() else commit


def load_tokenizer(tokenizers: Any, source: str | Path, revision: str | None = None) -> Any:
    """A tokenizer without its model. Raises `CheckpointError` where it is not there, or damaged.

    Args:
        tokenizers: a tokenizer class of `transformers`, or its auto class.
    """
    if not Path(source).is_dir():
        require_reachable(str(source), revision=revision)
    try:
        return tokenizers.from_pretrained(source, revision=revision, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"cannot load the tokenizer of {str(source)!r}: a file is missing or damaged") from error
