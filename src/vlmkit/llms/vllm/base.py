"""What both kinds of models in vLLM do alike: start with their adapters, ask for replies, end."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from weakref import finalize

from vlmkit.errors import AdapterError, UnknownNameError, VlmkitError, WiringError
from vlmkit.llms.served import ServedWeights
from vlmkit.llms.spelling import Speller
from vlmkit.llms.vllm import probe, replies
from vlmkit.llms.vllm.adapters import Served, prove, servable
from vlmkit.llms.vllm.settings import lora
from vlmkit.llms.vllm.start import ended, first_line, folder_of, placed, require_vllm, started
from vlmkit.types import Constraint, Generation, Limits, Problem

Grids = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class Found:
    """A base before it is started: where it lies, how it computes, and the adapters that fit it."""

    folder: Path
    base: str | None
    revision: str | None
    dtype: str
    on_cpu: bool
    adapters: tuple[Served, ...]


@dataclass(frozen=True)
class Asked:
    """One prompt as vLLM takes it, what is asked of its reply, and who answers."""

    prompt: Mapping[str, Any]
    parameters: Any
    adapter: Served | None


class VllmBase:
    """One model in vLLM.

    Attributes:
        context: positions of a prompt with its reply.
        adapters: what can answer besides the base, by name; `active` is who answers where a call names nobody.
    """

    context: int
    adapters: Mapping[str, Served]
    active: str | None
    _llm: Any

    @property
    def backbone(self) -> ServedWeights:
        """What it says of its weights."""
        return self._weights

    def close(self) -> None:
        """Stop vLLM and give its memory back; it answers no more. Leaving it to the garbage collector does the same."""
        self._llm = None
        self._close()

    def _found(
        self,
        source: str | Path,
        adapters: Mapping[str, Path] | None,
        active: str | None,
        device: str,
        precision: str,
        revision: str | None,
    ) -> Found:
        require_vllm()
        dtype, on_cpu = placed(device, precision)
        folder, commit = folder_of(source, revision)
        base = None if Path(source).is_dir() else str(source)
        served = servable(adapters or {}, folder, base, commit)
        self.adapters = {one.name: one for one in served}
        self.active = active
        self._served(active)
        return Found(folder, base, commit, dtype, on_cpu, tuple(served))

    def _start(
        self,
        found: Found,
        tokenizer: Any,
        context: int,
        arguments: Mapping[str, Any],
        processor: Any = None,
        folders: Sequence[TemporaryDirectory[str]] = (),
    ) -> None:
        self.context = context
        self._tokenizer = tokenizer
        self._speller = Speller(tokenizer)
        self._end: int = tokenizer.eos_token_id
        self._lock = threading.Lock()  # vLLM's loop is for one caller at a time
        self._llm = started(found.folder, {**arguments, **lora(found.adapters)})
        self._close = finalize(self, ended, self._llm, *folders)
        reached = {one.path: tuple(sorted(one.keys)) for one in found.adapters}
        self._weights = ServedWeights("vllm", found.base, found.revision, reached)
        ask = partial(probe.logprobs, self._llm, tokenizer, processor)
        try:
            for one in found.adapters:
                prove(ask, self._llm.llm_engine.remove_lora, one)
        except AdapterError:
            self.close()
            raise

    def _answered(
        self,
        given: Sequence[Mapping[str, Any] | None],
        wanted: Sequence[Sequence[int]],
        constraints: Sequence[Constraint | None],
        limits: Limits,
        adapters: Sequence[str | None] | None,
        grids: Sequence[Grids] | None = None,
    ) -> list[Generation]:
        """Replies in order; a prompt that is None was too long to be asked.

        Args:
            wanted: ids of each prompt as the local engine reads it; vLLM has to have read the same.
        """
        names = adapters if adapters is not None else [self.active] * len(given)
        if len(names) != len(given):
            raise WiringError(f"{len(names)} adapters for {len(given)} prompts; one a prompt, None for the base")
        found = [Generation("", "unread", len(ids), 0, prompt_ids=tuple(ids)) for ids in wanted]
        asked = {}
        for index, (prompt, name) in enumerate(zip(given, names, strict=True)):
            chosen = self._served(name)
            if prompt is not None:
                room = self.context - len(wanted[index])
                asked[index] = Asked(prompt, replies.asked(constraints[index], limits, room, self._end), chosen)
        for index, output in self._outputs(asked).items():
            if isinstance(output, Problem):
                found[index] = Generation("", "failed", len(wanted[index]), 0, problem=output)
                continue
            if "prompt_token_ids" in asked[index].prompt:  # embeddings have no ids to compare
                self._compare(output.prompt_token_ids, wanted[index], index)
            own = grids[index] if grids is not None else ()
            found[index] = replies.read(output, self._speller, self._end, wanted[index], own)
        return found

    def _outputs(self, asked: Mapping[int, Asked]) -> dict[int, Any]:
        """A finished request of vLLM, or the problem with it, for each."""
        if not any(one.vision for one in self.adapters.values()):
            return dict(zip(asked, self._generate(list(asked.values())), strict=True))
        # With adapters of the vision tower vLLM (0.32) gives rows of the second kind of media in a step the adapters
        # of the first kind's, or fails: pictures and films are asked about one after the other.
        passes: dict[str, list[int]] = {}
        found: dict[int, Any] = {}
        for index, one in asked.items():
            kinds = sorted(one.prompt.get("multi_modal_data", ()))
            if len(kinds) > 1:
                text = f"vLLM cannot adapt its vision tower to {' and '.join(kinds)} of one prompt; give one of them"
                found[index] = Problem("engine_refused", text, fatal=True)
            else:
                passes.setdefault("".join(kinds), []).append(index)
        for places in passes.values():
            found |= dict(zip(places, self._generate([asked[index] for index in places]), strict=True))
        return found

    def _generate(self, asked: Sequence[Asked]) -> list[Any]:
        if self._llm is None:
            raise WiringError("this vLLM engine was closed; open the head again")
        if not asked:
            return []
        requests = [None if one.adapter is None else one.adapter.request for one in asked]
        prompts, parameters = [one.prompt for one in asked], [one.parameters for one in asked]
        with self._lock:
            try:
                return list(self._llm.generate(prompts, parameters, lora_request=requests, use_tqdm=False))
            except BaseException as error:
                if self._llm.llm_engine.has_unfinished_requests():  # it broke, or was interrupted, while it answered
                    self.close()
                    if not isinstance(error, Exception):
                        raise
                    raise VlmkitError(
                        f"vLLM broke off while it answered, and was ended: {first_line(error)}"
                    ) from error
                if not isinstance(error, Exception):
                    raise
                if len(asked) == 1:
                    text = f"vLLM refused this prompt: {first_line(error)}"
                    return [Problem("engine_refused", text, fatal=True)]
        return [output for one in asked for output in self._generate([one])]  # the others are asked without it

    def _served(self, name: str | None) -> Served | None:
        if name is not None and name not in self.adapters:
            raise UnknownNameError("adapter", name, self.adapters)
        return None if name is None else self.adapters[name]

    def _compare(self, read: Sequence[int] | None, wanted: Sequence[int], index: int) -> None:
        if list(read or ()) == list(wanted):
            return
        pairs = enumerate(zip(read or (), wanted, strict=False))
        at = next((i for i, (theirs, ours) in pairs if theirs != ours), min(len(read or ()), len(wanted)))
        raise WiringError(
            f"prompt {index}: vLLM has read {len(read or ())} ids and the local engine reads {len(wanted)}; they "
            f"differ from place {at} on, so its answer would be about something else"
        )
