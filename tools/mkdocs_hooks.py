"""What mkdocs asks us while it builds: the list of decisions is read from their titles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

MARK = "<!-- decisions -->"


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Put one line a decision where the index has its mark."""
    if MARK not in markdown:
        return markdown
    folder = Path(config["docs_dir"]) / "decisions"
    lines = [f"- [{_title(path)}]({path.name})" for path in sorted(folder.glob("*.md")) if path.name != "index.md"]
    return markdown.replace(MARK, "\n".join(lines) or "None yet.")


def _title(path: Path) -> str:
    first = path.read_text(encoding="utf-8").splitlines()[0]
    return first.lstrip("# ")
