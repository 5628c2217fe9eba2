"""`vlmkit convert` from the outside."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file

from tests.cli.conftest import Run


def test_convert_says_what_was_found(run: Run, tmp_path: Path) -> None:
    source, out = tmp_path / "old.pth", tmp_path / "new.safetensors"
    torch.save({"model": {"w": torch.ones(3)}, "epoch": 3}, source)
    done = run("convert", source, "-o", out)
    assert done.exit_code == 0
    assert "variant: not recognised" in done.stdout
    assert "weights: 1 tensors, from 'model'" in done.stdout
    assert f"written: {out} ({out.stat().st_size} bytes)" in done.stdout
    assert "left out, because no weights: 'epoch'" in done.stderr
    assert torch.equal(load_file(out)["w"], torch.ones(3))

    again = run("convert", source, "-o", out)
    assert again.exit_code == 3
    assert "exists already" in again.stderr and not again.stdout


def test_a_name_out_of_the_file_does_not_reach_the_terminal(run: Run, tmp_path: Path) -> None:
    source = tmp_path / "old.pth"
    escape = "\x1b]0;owned\x07\r\n\u202egood"
    torch.save({"model": {"w": torch.ones(3)}, escape: 3, "n" * 500: 4}, source)
    done = run("convert", source, "-o", tmp_path / "new.safetensors")
    assert done.exit_code == 0
    line = next(line for line in done.stderr.splitlines() if "left out" in line)
    assert line == f"vlmkit: left out, because no weights: {escape!a}, '{'n' * 76}..."
    assert done.stderr.isascii() and "\x1b" not in done.stderr


def test_what_cannot_be_converted_is_one_line(run: Run, tmp_path: Path) -> None:
    done = run("convert", tmp_path / "no.pth", "-o", tmp_path / "new.safetensors", "--kind", "panns")
    assert done.exit_code == 3
    assert done.stderr == f"vlmkit: {tmp_path / 'no.pth'}: no such file\n"
    assert run("convert", tmp_path / "no.pth").exit_code == 2
    assert run("convert", tmp_path / "no.pth", "-o", tmp_path / "new.safetensors", "--kind", "vgg").exit_code == 2
