"""The example runs, and what it prints is more than noise."""

from __future__ import annotations

from pathlib import Path

from examples.warehouse_quickstart import main


def test_it_scores_above_what_never_looked(tmp_path: Path) -> None:
    report = main(tmp_path)
    assert (tmp_path / "report" / "metrics.json").is_file()
    assert report.metrics["OCA"] > report.baselines["majority"]["OCA"]
