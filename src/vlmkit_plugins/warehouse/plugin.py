"""What the warehouse brings to vlmkit."""

from __future__ import annotations

from vlmkit.hookspecs import Register, hookimpl


@hookimpl
def vlmkit_register_tasks(register: Register) -> None:
    """One task."""
    register(
        "warehouse",
        "vlmkit_plugins.warehouse.head:task",
        summary="operations at a packing table in 5 s clips (Qwen2.5-VL)",
    )
