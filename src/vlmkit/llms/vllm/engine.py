"""The engine `vllm`: a vision-language model with its adapters, prompts answered all at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vlmkit.llms.chat import ChatRenderer, grids_of
from vlmkit.llms.vllm import media
from vlmkit.llms.vllm.base import VllmBase
from vlmkit.llms.vllm.settings import VllmSettings, common, longest
from vlmkit.llms.vllm.settings import media as media_arguments
from vlmkit.llms.vllm.start import config_of, processor_of
from vlmkit.media.spec import ImageSpec, VideoSpec
from vlmkit.types import Constraint, Generation, Inputs, Limits, Modality, Prompt


class Vllm(VllmBase):
    """A vision-language model in vLLM, in this process.

    Prompts, frames, times and grammar are those of the local engine, so that greedy replies are equal token by token
    where both compute in fp32. What vLLM has read is compared with what the local engine reads, prompt by prompt.

    Args:
        source: hub id, or a directory in Hugging Face's layout.
        adapters: LoRA directories by name; each prompt is answered by one of them, or by the base.
        active: the adapter that answers where a call names none; the base when not given.
        video, image: how media were opened.
        device: "auto", or what this build of vLLM runs on. precision: "auto" is bf16 on a GPU, fp32 on a CPU.
        revision: commit of a hub id.

    Raises `MissingExtraError` without vLLM, `CheckpointError` for weights that are not there, `AdapterError` for an
    adapter that it would not, or does not, serve, `WiringError` for a model that it cannot run.
    """

    media: frozenset[Modality] = frozenset({"image", "video"})

    def __init__(
        self,
        source: str | Path,
        *,
        video: VideoSpec,
        image: ImageSpec,
        adapters: Mapping[str, Path] | None = None,
        active: str | None = None,
        device: str = "auto",
        precision: str = "auto",
        revision: str | None = None,
        settings: VllmSettings | None = None,
    ) -> None:
        settings = settings or VllmSettings()
        found = self._found(source, adapters, active, device, precision, revision)
        text = config_of(found.folder).text_config
        processor = processor_of(found.folder)
        self.video_spec = video
        self._chat = ChatRenderer(processor)
        self._counter = media.Counter(processor)
        cells = (self._counter.cell_px, self._counter.steps)
        context = longest(settings, text.max_position_embeddings, *cells, video, image)
        arguments = {
            **common(settings, text, found.dtype, found.on_cpu, context),
            **media_arguments(processor, video, image),
        }
        self._start(found, processor.tokenizer, context, arguments, processor)

    def reply(
        self,
        prompts: Sequence[Prompt],
        opened: Sequence[Inputs],
        constraints: Sequence[Constraint | None],
        limits: Limits,
        adapters: Sequence[str | None] | None = None,
    ) -> list[Generation]:
        """Replies in order, under their constraints. Greedy at temperature 0, where a batch equals its rows alone.

        A prompt that leaves no place for a reply gets an empty one that stops as "unread"; one that vLLM refuses gets
        one that stops as "failed".

        Args:
            adapters: which one answers each prompt, None for the base; `active` answers all when not given.

        Raises `WiringError` where slots and media do not match, or vLLM has read other ids than the local engine
        would; `UnknownNameError` for an adapter that it was not started with.
        """
        rows = self._counter.rows(opened)
        wanted = [self._ids(text) for text in self._chat.texts(prompts, rows)]
        given = [
            self._prompt(prompt, one) if len(ids) < self.context else None
            for prompt, one, ids in zip(prompts, opened, wanted, strict=True)
        ]
        return self._answered(given, wanted, constraints, limits, adapters, grids_of(prompts, rows))

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def _prompt(self, prompt: Prompt, opened: Inputs) -> dict[str, Any]:
        # Ids of ours, one a slot: vLLM's tokenizer splits the words of some saved ones in its own way.
        told: dict[str, Any] = {"prompt_token_ids": self._ids(self._chat.text(prompt))}
        made = media.given(opened, self.video_spec)
        return {**told, "multi_modal_data": dict(made)} if made else told
