"""`vlmkit doctor`; what it finds is tested in tests/test_doctor.py."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Run
from vlmkit import doctor
from vlmkit.doctor import Finding


def test_the_command_prints_findings_and_its_code_says_whether_there_are_problems(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = Finding("ok", "a", "1")
    monkeypatch.setattr(doctor, "examine", lambda: iter([good, Finding("absent", "b", "no", "pip install b")]))
    result = run("doctor")
    assert result.exit_code == 0
    assert "b: no; type: pip install b" in result.stdout
    monkeypatch.setattr(doctor, "examine", lambda: iter([good, Finding("problem", "c", "broken", "fix c")]))
    result = run("doctor")
    assert result.exit_code == 1
    assert "PROBLEM c: broken; type: fix c" in result.stdout
