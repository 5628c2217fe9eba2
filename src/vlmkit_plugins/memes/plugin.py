"""What memes bring to vlmkit."""

from __future__ import annotations

from vlmkit.hookspecs import Register, hookimpl


@hookimpl
def vlmkit_register_tasks(register: Register) -> None:
    """One task."""
    register(
        "memes",
        "vlmkit_plugins.memes.head:task",
        summary="hateful memes: words and picture, alone and together (mDeBERTa + SigLIP, no language model)",
    )
