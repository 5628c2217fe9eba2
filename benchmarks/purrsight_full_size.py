"""PurrSight's real preset with random weights: parameters by role, bytes on disk, memory beside plan, time by stage.

Memory is how far this process grew after its libraries were imported. Random weights seldom end a reply, so a timed
reply is exactly so many tokens, drawn without a grammar; before that, one answer a modality goes the whole way, with
grammar and reader.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from _measured import machine
from _stages import STAGES, stages, worked_samples

from vlmkit.loading import open_head
from vlmkit.types import Limits, Sample
from vlmkit_plugins.purrsight.plan import answering_bytes, parameters
from vlmkit_plugins.purrsight.stages import STAGES as PLANS

PRESET = "qwen2.5-0.5b"


def grown_bytes() -> int:
    """Largest resident size of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def disk_bytes(folder: Path) -> int:
    """Of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def answer_all(head: Any, samples: Mapping[str, Sample], reply: int) -> None:
    """One answer each, as a user gets it; the budget is what a cut reply needs at least, when that is more."""
    for name, sample in samples.items():
        least = head.task.decoder().constraint(sample).minimum
        (answer,) = head.predict_many([sample], limits=Limits(max_new_tokens=max(reply, least)))
        problems = ", ".join(problem.code for problem in answer.problems) or "none"
        read = "read" if answer.value is not None else "not read"
        seconds = sum(answer.timing_s.values())
        print(
            f"  {name:<16} used {'+'.join(answer.used):<12} {read}  {seconds:6.1f} s  problems: {problems}", flush=True
        )


def time_all(head: Any, samples: Mapping[str, Sample], reply: int, repeats: int) -> None:
    """Medians by stage."""
    print(f"  {'':<16}" + "".join(f"{stage:>13}" for stage in STAGES))
    for name, sample in samples.items():
        found = stages(head, sample, reply=reply, repeats=repeats)
        print(f"  {name:<16}" + "".join(f"{found[stage]:>13.1f}" for stage in STAGES), flush=True)


def count(head: Any) -> None:
    """Parameters by role, with the adapter of stage sft."""
    sft = PLANS[PRESET][-1]
    if sft.lora is None:
        raise SystemExit("the preset has no LoRA stage")
    head.model.backbone.add_lora(**sft.lora)
    trained = head.model.train_roles(sft.roles)
    roles = {role: sum(p.numel() for p in found.values()) for role, found in head.model.roles.items() if found}
    for role, number in roles.items():
        print(f"  {role:<12}{number:>13,}{'  trained by ' + sft.name if role in trained else ''}")
    serving = sum(roles.values()) - parameters()["text tower"]
    learned = sum(trained.values())
    print(
        f"  together    {sum(roles.values()):>13,}; without the text tower, which stage align alone reads, {serving:,}"
    )
    print(f"  trained     {learned:>13,}, {learned / serving:.1%} of these")


def weigh(head: Any) -> None:
    """Bytes of a saved head, whole and of what was trained."""
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "whole"
        head.save_pretrained(whole)
        own = [whole / "adapter_model.safetensors", whole / "base" / "projector.safetensors"]
        print(f"  everything, as random weights have to be saved   {disk_bytes(whole):>13,}")
        print(f"  LoRA and projector                               {sum(map(_size, own)):>13,}")
        print(
            f"  the aligner                                      {_size(whole / 'base' / 'aligner.safetensors'):>13,}"
        )
        print("  (a head on public parts saves the last two only: the rest is named by its source and a digest)")


def _size(path: Path) -> int:
    return path.stat().st_size


def main() -> None:
    """Build, answer, time, count and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reply", type=int, default=80, help="tokens of the timed reply")
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    print(machine("timm", "torchaudio"))
    samples = worked_samples()
    list(open_head("purrsight", preset="tiny", weights="random").predict_many([samples["picture"]]))  # all imports
    before, start_s = grown_bytes(), time.perf_counter()
    head = open_head("purrsight", preset=PRESET, weights="random", device="cpu", precision="fp32")
    print(f"build            {time.perf_counter() - start_s:.1f} s", flush=True)
    print("\nthe whole way, with grammar and reader (the answers are noise)")
    answer_all(head, samples, given.reply)
    planned, grown = answering_bytes("fp32"), grown_bytes() - before
    print(f"memory           measured {grown / 1e9:.2f} GB, plan {planned / 1e9:.2f} GB, {grown / planned:.2f} x")
    print(f"                 and {before / 1e9:.2f} GB for Python and its libraries")
    print(f"\nmedian ms of {given.repeats}, fp32; a reply of exactly {given.reply} tokens, without a grammar")
    time_all(head, samples, given.reply, given.repeats)
    print("\nparameters by role")
    count(head)
    print("\nbytes on disk")
    weigh(head)


if __name__ == "__main__":
    main()
