"""What football brings to vlmkit."""

from __future__ import annotations

from vlmkit.hookspecs import Register, hookimpl


@hookimpl
def vlmkit_register_tasks(register: Register) -> None:
    """One task."""
    register(
        "football",
        "vlmkit_plugins.football.head:task",
        summary="events in match video: what, who and from when to when (Cosmos-Reason1-7B)",
    )
