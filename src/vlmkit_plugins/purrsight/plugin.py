"""What PurrSight brings to vlmkit."""

from __future__ import annotations

from vlmkit.hookspecs import Register, hookimpl


@hookimpl
def vlmkit_register_tasks(register: Register) -> None:
    """One task."""
    register(
        "purrsight",
        "vlmkit_plugins.purrsight.head:task",
        summary="a cat's body language and voice in pictures, films, sounds and words (Qwen2.5-0.5B)",
    )
