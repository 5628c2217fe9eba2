"""Weights of a hub id or a local directory, whole and safe, or one line that says why not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vlmkit.hub import opened, refuse_gaps
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
