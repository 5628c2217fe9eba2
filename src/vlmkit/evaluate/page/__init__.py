"""One self-contained page of a report: plots, tables, and the worst errors with their media."""

from __future__ import annotations

from vlmkit.evaluate.page.notebook import notebook
from vlmkit.evaluate.page.page import render

__all__ = ["notebook", "render"]
