"""Training on a real row: only the answer's tokens are in the loss, and the film is what they hang on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from torch import Tensor
from transformers.video_utils import VideoMetadata

from tests.football.annotated import CARD, GOAL
from tests.tiny_models import tiny_qwen2_5_vl
from vlmkit.media import open_video
from vlmkit.model import Model
from vlmkit.native import Native, views
from vlmkit.types import Clip, Limits, Sample
from vlmkit_plugins.football.exports import read, write
from vlmkit_plugins.football.recipe import assemble
from vlmkit_plugins.football.schema import Events, parse_events
from vlmkit_plugins.football.specs import IMAGE, VIDEO

SPEC = VIDEO["tiny"]
ANSWERS = {"two": [CARD, GOAL], "none": [], "one": [GOAL]}


@pytest.fixture(scope="module")
def native() -> Native:
    hf, processor = tiny_qwen2_5_vl()
    return views(hf, processor, video=SPEC, image=IMAGE)


@pytest.fixture(scope="module")
def model(native: Native) -> Model[Events]:
    return assemble(native, Limits(640))


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, Any]], list[Sample]]:
    """Rows of a training file, as other trainers get them, and the samples that come back from it."""
    folder = tmp_path_factory.mktemp("sft")
    samples = []
    for seed, (name, events) in enumerate(ANSWERS.items()):
        noise(folder / f"{name}.mp4", seed)
        truth = parse_events(events, name)
        samples.append(Sample(name, {"video": Clip(folder / f"{name}.mp4")}, truth=truth))
    file = write(samples, folder / "sft.jsonl", "trl")
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()], read(file)


def noise(path: Path, seed: int) -> None:
    """Ten seconds at four frames a second, no two films alike."""
    blocks = np.random.default_rng(seed).integers(0, 255, (40, 7, 7, 3), dtype=np.uint8)
    with av.open(path, "w") as output:
        stream = output.add_stream("libx264", rate=4)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 112, 112, "yuv420p"
        for frame in blocks.repeat(16, axis=1).repeat(16, axis=2):
            output.mux(stream.encode(av.VideoFrame.from_ndarray(frame)))
        output.mux(stream.encode(None))


def tokenised(native: Native, row: dict[str, Any], sample: Sample) -> tuple[dict[str, Tensor], Tensor]:
    """One row as a user of plain `transformers` would tokenise it, with labels for the answer and its end alone."""
    *question, answer = row["messages"]
    frames = open_video(sample.media["video"], SPEC)  # type: ignore[arg-type]
    text = native.processor.apply_chat_template(question, tokenize=False, add_generation_prompt=True)
    clock = VideoMetadata(total_num_frames=len(frames.images), fps=4.0, frames_indices=[*range(len(frames.images))])
    inputs = dict(
        native.processor(
            text=[text],
            videos=[torch.from_numpy(frames.images).permute(0, 3, 1, 2)],
            video_metadata=[clock],
            do_sample_frames=False,
            do_resize=False,
            return_tensors="pt",
        )
    )
    tail = native.tokenizer(answer["content"][0]["text"])["input_ids"] + [native.tokenizer.eos_token_id]
    labels = torch.tensor([[-100] * inputs["input_ids"].shape[1] + tail])
    for name, fill in (
        ("input_ids", tail),
        ("attention_mask", [1] * len(tail)),
        ("mm_token_type_ids", [0] * len(tail)),
    ):
        inputs[name] = torch.cat([inputs[name], torch.tensor([fill])], dim=1)
    return inputs, labels


def forward(native: Native, row: dict[str, Any], sample: Sample) -> tuple[float, int, float]:
    """The loss of the answer by `transformers`' own label mask, its tokens, and the loss without any mask."""
    inputs, labels = tokenised(native, row, sample)
    with torch.inference_mode():
        masked = native.hf(**inputs, labels=labels).loss
        unmasked = native.hf(**inputs, labels=inputs["input_ids"]).loss
    return float(masked), int((labels != -100).sum()), float(unmasked)


def test_only_the_answers_tokens_are_in_the_loss(
    native: Native, model: Model[Events], rows: tuple[list[dict[str, Any]], list[Sample]]
) -> None:
    wanted = []
    for row, sample in zip(*rows, strict=True):
        masked, n, unmasked = forward(native, row, sample)
        wanted.append((masked, n))
        with torch.inference_mode():
            ours = float(model.loss([model.prepare(sample)]))
        assert ours == pytest.approx(masked, rel=1e-5)
        assert abs(ours - unmasked) > 1e-2  # with the prompt in the loss it is another one
    with torch.inference_mode():
        together = float(model.loss([model.prepare(sample) for sample in rows[1]]))
    n_tokens = sum(n for _, n in wanted)
    assert together == pytest.approx(sum(loss * n for loss, n in wanted) / n_tokens, rel=1e-5)


def test_what_is_learned_is_the_answer_and_its_end(
    native: Native, model: Model[Events], rows: tuple[list[dict[str, Any]], list[Sample]]
) -> None:
    seen: list[int] = []

    def keep(logits: Tensor, labels: Tensor) -> Tensor:
        seen.extend(labels.tolist())
        return torch.zeros(len(labels))

    with torch.inference_mode():
        model.loss([model.prepare(sample) for sample in rows[1]], token_loss=keep)
    answers = [row["messages"][-1]["content"][0]["text"] for row in rows[0]]
    end = native.tokenizer.decode([native.tokenizer.eos_token_id])
    assert native.tokenizer.decode(seen) == "".join(answer + end for answer in answers)
    assert answers[1] == "[]"


def test_the_loss_hangs_on_the_film(model: Model[Events], rows: tuple[list[dict[str, Any]], list[Sample]]) -> None:
    first, second, _ = rows[1]
    swapped = Sample(first.id, second.media, truth=first.truth, meta=first.meta)
    losses = [model.loss([model.prepare(sample)]) for sample in (first, swapped)]
    assert abs(float(losses[0].detach()) - float(losses[1].detach())) > 1e-3
    model.train_roles(["encoder", "llm"])
    model.loss([model.prepare(first)]).backward()
    for role in ("encoder", "llm"):
        found = [p.grad for p in model.roles[role].values() if p.grad is not None]
        assert sum(float(grad.abs().sum()) for grad in found) > 0
