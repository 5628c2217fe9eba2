"""The doctor finds what it promises to find, on machines that are not this one."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from vlmkit.doctor import Finding, beside_vllm, examine, gpu, matched_set
from vlmkit.testing.fakes import installed
from vlmkit.versions import RANGES, Range, release

GOOD = {
    "vlmkit": "0.1.0",
    "av": "17.0.0",
    "numpy": "2.1.0",
    "pillow": "11.0",
    "pluggy": "1.6.0",
    "pydantic": "2.12.1",
    "rich": "14.0.0",
    "typer": "0.29.2",
}
TORCH = {"torch": "2.14.1", "torchvision": "0.29.2", "transformers": "5.23.0", "peft": "0.19.0"}


def found(versions: Mapping[str, str], **broken: str) -> dict[str, Finding]:
    return {finding.subject: finding for finding in examine(versions.get, installed(broken=broken))}


def problems(versions: Mapping[str, str], **broken: str) -> dict[str, Finding]:
    return {name: finding for name, finding in found(versions, **broken).items() if finding.level == "problem"}


def test_a_light_install_has_no_problem_and_is_told_how_to_get_the_rest() -> None:
    assert problems(GOOD) == {}
    assert found(GOOD)["torch"] == Finding(
        "absent", "torch", "not installed; wanted >=2.11,<2.15", "pip install 'vlmkit[local]'"
    )


def test_a_full_install_has_no_problem() -> None:
    assert problems(GOOD | TORCH) == {}
    assert found(GOOD | TORCH)["torch and torchvision"].level == "ok"


def test_a_core_package_that_is_absent_is_a_problem() -> None:
    assert problems({name: text for name, text in GOOD.items() if name != "av"})["av"].advice == "pip install 'av>=17'"


@pytest.mark.parametrize(
    ("name", "version"),
    [("torch", "2.15.0"), ("torch", "2.10.9"), ("transformers", "5.24.0"), ("transformers", "5.18"), ("typer", "0.1")],
)
def test_a_version_out_of_its_range_is_a_problem(name: str, version: str) -> None:
    finding = problems(GOOD | TORCH | {name: version})[name]
    assert finding.found.startswith(f"{version}, and ")
    assert finding.advice == f"pip install '{name}{RANGES[name]}'"


def test_a_cpu_torch_beside_the_public_torchvision_is_a_problem() -> None:
    finding = problems(GOOD | TORCH | {"torch": "2.14.1+cpu"})["torch and torchvision"]
    assert "torchvision::nms" in finding.found
    pair = {"torch": "2.14.1+cpu", "torchvision": "0.29.2+cpu"}
    assert problems(GOOD | TORCH | pair) == {}


def test_a_torchvision_of_another_torch_is_a_problem() -> None:
    assert "torch and torchvision" in problems(GOOD | TORCH | {"torchvision": "0.28.0"})


def test_torchaudio_beside_a_newer_torch_is_a_problem() -> None:
    versions = {"torch": "2.15.0", "torchvision": "0.30.0", "torchaudio": "2.11.0"}
    finding = {f.subject: f for f in matched_set(versions.get)}["torch and torchaudio"]
    assert (finding.level, finding.advice) == ("problem", "pip uninstall torchaudio")
    assert found(GOOD | TORCH | {"torchaudio": "2.11.0"})["torch and torchaudio"].level == "ok"


def test_a_plugin_that_failed_is_a_problem_with_its_reason() -> None:
    finding = problems(GOOD, bad="ImportError: no module named 'x'")["plugin bad"]
    assert "no module named 'x'" in finding.found
    assert "broken-package" in finding.advice


def test_without_torch_the_gpu_is_not_asked() -> None:
    assert gpu(lambda name: None).level == "absent"


@pytest.mark.parametrize(
    ("outcome", "level", "text"),
    [
        ('{"devices": ["H200"], "memory_gib": [139.4], "cuda": "13.0"}', "ok", "H200 (139 GiB), CUDA 13.0"),
        ('{"devices": [], "memory_gib": [], "cuda": null}', "absent", "everything runs on the CPU"),
        ("warning: something\n", "problem", "torch fails to import"),
        (subprocess.TimeoutExpired("python", 5), "problem", "did not answer within 5 s"),
        (subprocess.CalledProcessError(139, "python"), "problem", "torch fails to import"),
    ],
)
def test_whatever_torch_does_is_a_finding(
    monkeypatch: pytest.MonkeyPatch, outcome: str | Exception, level: str, text: str
) -> None:
    def run(command: list[str], **keywords: Any) -> subprocess.CompletedProcess[str]:
        if isinstance(outcome, Exception):
            raise outcome
        return subprocess.CompletedProcess(command, 0, outcome, "")

    monkeypatch.setattr(subprocess, "run", run)
    finding = gpu({"torch": "2.14.1"}.get, patience_s=5)
    assert finding.level == level
    assert text in finding.found


@pytest.mark.parametrize(
    ("version", "holds"),
    [("2.11", True), ("2.11.0", True), ("2.14.9+cu130", True), ("2.15", False), ("2.15.0.dev1", False), ("2.9", False)],
)
def test_ranges_compare_numbers_and_not_letters(version: str, holds: bool) -> None:
    assert Range("2.11", "2.15").holds(version) is holds


def test_release_drops_what_follows_the_numbers() -> None:
    assert release("2.14.0rc1+cpu") == release("2.14") == (2, 14)


def test_the_ranges_are_those_of_pyproject() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    named = [(line, None) for line in project["dependencies"]]
    named += [(line, extra) for extra, lines in extras.items() for line in lines if not line.startswith("vlmkit[")]
    declared: dict[str, tuple[str, str | None]] = {}
    for line, extra in named:
        name, spec = re.fullmatch(r"([A-Za-z0-9_-]+)(?:\[[^]]*\])?(.*)", line.partition(";")[0].strip()).groups()  # type: ignore[union-attr]
        declared.setdefault(name, (spec.replace(" ", ""), extra))
    known = {name: (str(wanted), wanted.extra) for name, wanted in RANGES.items() if wanted.extra != ""}
    assert known == declared


VLLM = ("torch==2.13.0+cpu; platform_machine == 'x86_64'", "torch==2.13.0; sys_platform == 'darwin'", "torchaudio",
        "transformers<5.20.0,>=5.16.1", "llguidance<1.8.0,>=1.7.0")  # fmt: skip
BESIDE = {"vllm": "0.32.0", "torch": "2.13.0+cu130", "transformers": "5.19.0", "llguidance": "1.7.6"}


def test_vllm_wants_its_own_torch() -> None:
    assert [finding.level for finding in beside_vllm(BESIDE.get, VLLM)] == ["ok"]
    assert list(beside_vllm(GOOD.get, VLLM)) == []
    (finding,) = beside_vllm({**BESIDE, "torch": "2.14.1", "transformers": "5.20"}.get, VLLM)
    assert finding.level == "problem"
    assert "torch 2.14.1 where torch==2.13.0+cpu is wanted" in finding.found
    assert "transformers 5.20 where transformers<5.20.0,>=5.16.1 is wanted" in finding.found
    assert "llguidance" not in finding.found
    assert "vlmkit[vllm]" in finding.advice


def test_a_vllm_out_of_its_range_is_a_problem() -> None:
    assert problems(GOOD | TORCH | {"vllm": "0.34.0"})["vllm"].found == "0.34.0, and >=0.32,<0.34 is wanted"
