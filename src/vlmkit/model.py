"""Encoder → Projector → LLM → Decoder, wired and checked when built."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from vlmkit.backbone import Backbone
from vlmkit.errors import BudgetError, WiringError
from vlmkit.prepared import Prepared, prepare
from vlmkit.protocols import ROLES, Decoder, Encoder, Engine, LanguageModel, Projector, Reader, Role
from vlmkit.types import (
    Batch,
    Constraint,
    Features,
    Generation,
    Lane,
    Limits,
    Modality,
    Prediction,
    Prompt,
    Sample,
    Tokens,
)

T = TypeVar("T")


class Model(Generic[T]):
    """The composed model.

    Args:
        encoders: each modality is read by one encoder at most.
        projector: required when there are encoders.
        llm: None for heads whose decoder reads tokens directly.
        decoder: reads "generation" with an llm, "tokens" without.
        prompt: the question about a sample; required with an llm.
        requires: modalities without which a sample cannot be answered.
        backbone: what saves the weights and takes LoRA adapters; a model without one cannot be saved.
        limits: default budget of a reply; by default what the longest legal one needs.
        engine: what answers in place of encoders, projector and llm, and brings its own.
        readers: what opens the media that the engine takes as they are.

    Raises `WiringError` for widths, slots or readers that do not fit, `BudgetError` for a budget below the schema's
    minimum.
    """

    def __init__(
        self,
        *,
        encoders: Sequence[Encoder],
        projector: Projector | None,
        llm: LanguageModel | None,
        decoder: Decoder[T],
        prompt: Callable[[Sample], Prompt] | None,
        requires: frozenset[Modality] = frozenset(),
        backbone: Backbone | None = None,
        limits: Limits | None = None,
        engine: Engine | None = None,
        readers: Sequence[Reader] = (),
    ) -> None:
        self.encoders = tuple(encoders)
        self.readers: tuple[Reader, ...] = (*encoders, *readers)
        self.engine = engine
        self.projector = projector
        self.llm = llm
        self.decoder = decoder
        self.requires = requires
        self.backbone = backbone
        self._prompt = prompt
        self._check()
        probe = decoder.constraint(Sample("probe")) if decoder.reads == "generation" else None
        # A token is at least one byte, and one more place is for the end token: no legal reply is cut.
        self.limits = limits or Limits(probe.longest + 1 if probe else 256)
        _check_budget(self.limits, probe)

    def _check(self) -> None:
        if self.engine is not None:
            self._check_engine(self.engine)
            return
        widths = self._widths()
        if self.decoder.reads == "tokens" and self.llm is not None:
            raise WiringError("a decoder that reads tokens stands on the projector: llm has to be None")
        if self.projector is not None:
            given = getattr(self.projector, "widths", None) or dict.fromkeys(widths, self.projector.out_dim)
            for lane, width in getattr(self.decoder, "dims", {}).items():
                if given.get(lane) != width:
                    raise WiringError(f"{lane}: projector gives width {given.get(lane, 'none')}, decoder takes {width}")
        if self.decoder.reads == "generation":
            self._check_llm(set(widths))

    def _widths(self) -> dict[Modality, int]:
        """Width of the rows by modality, as the encoders give them and the projector takes them."""
        found: dict[Modality, int] = {}
        for encoder in self.encoders:
            for modality in encoder.modalities:
                if modality in found:
                    raise WiringError(f"two encoders read {modality!r}")
                found[modality] = encoder.dim
        if found and self.projector is None:
            raise WiringError("encoders without a projector; native models take vlmkit.projectors.identity.Identity")
        taken = self.projector.in_dims if self.projector is not None else {}
        for modality, width in found.items():
            if (wanted := taken.get(modality)) != width:
                raise WiringError(f"{modality}: encoder gives width {width}, projector takes {wanted}")
        return found

    def _check_engine(self, engine: Engine) -> None:
        if self.encoders or self.projector is not None or self.llm is not None:
            raise WiringError("an engine brings its own encoders and language model; give it readers only")
        if self.decoder.reads != "generation" or self._prompt is None:
            raise WiringError("an engine answers prompts: it needs a prompt, and a decoder that reads generations")
        opened = {modality for reader in self.readers for modality in reader.modalities}
        if unread := sorted(opened - engine.media):
            raise WiringError(f"the engine does not take {', '.join(unread)}")

    def _check_llm(self, modalities: set[Modality]) -> None:
        if self.llm is None or self._prompt is None:
            raise WiringError("a decoder that reads generations needs an llm and a prompt")
        if self.projector is not None and self.projector.out_dim != self.llm.dim:
            raise WiringError(f"projector gives width {self.projector.out_dim}, llm takes {self.llm.dim}")
        if missing := modalities - self.llm.slots - {"text"}:  # text is read as it is, too
            raise WiringError(f"the llm has no slot for {', '.join(sorted(missing))}")

    @property
    def modules(self) -> dict[Role, tuple[nn.Module, ...]]:
        """What holds the parameters of each role; views of one shared model hold different parts of it."""
        found: dict[Role, tuple[nn.Module, ...]] = {"encoder": tuple(e.module for e in self.encoders)}
        if self.projector is not None:
            found["projector"] = (self.projector.module,)
            aligner = getattr(self.projector, "aligner", None)
            if isinstance(aligner, nn.Module):
                found["aligner"] = (aligner,)
        if self.llm is not None:
            found["llm"] = (self.llm.module,)
        module = getattr(self.decoder, "module", None)
        if isinstance(module, nn.Module):
            found["decoder"] = (module,)
        return found

    @property
    def roles(self) -> dict[Role, dict[str, nn.Parameter]]:
        """Parameters by role. LoRA weights are their own role, wherever they were injected."""
        found: dict[Role, dict[str, nn.Parameter]] = {role: {} for role in ROLES}
        for role, modules in self.modules.items():
            for index, module in enumerate(modules):
                for name, parameter in module.named_parameters():
                    found["lora" if "lora_" in name else role][f"{role}.{index}.{name}"] = parameter
        return found

    def train_roles(self, roles: Sequence[Role]) -> dict[Role, int]:
        """Let only these roles learn; returns how many parameters each has. Raises `WiringError` for an empty one."""
        counts: dict[Role, int] = {}
        for role, parameters in self.roles.items():
            for parameter in parameters.values():
                parameter.requires_grad_(role in roles)
            if role in roles:
                counts[role] = sum(p.numel() for p in parameters.values())
        if empty := [role for role in roles if not counts.get(role)]:
            raise WiringError(f"nothing to train in role {', '.join(empty)}")
        return counts

    def train(self, roles: Sequence[Role]) -> None:
        """Training mode for what learns; frozen parts stay in eval mode."""
        for role, modules in self.modules.items():
            for module in modules:
                module.train(role in roles or ("lora" in roles and role == "llm"))

    def eval(self) -> None:
        """Serving mode for all parts."""
        self.train(())

    def prepare(self, sample: Sample, encoders: Sequence[Reader] | None = None) -> Prepared:
        """Decode one sample. A file that cannot be used is a problem of this sample alone.

        A modality that could not be read is taken out, as if the sample had come without it; the problem stays, and
        is fatal where the modality is required or nothing else is left.

        Args:
            encoders: stand-ins for the model's own, in their order: a feature cache looks before it decodes.
        """
        feeds = [self._feeds(reader) for reader in self.readers]
        return prepare(sample, self.readers if encoders is None else encoders, feeds, self.requires)

    def _feeds(self, encoder: Reader) -> bool:
        """Whether answers depend on it: a text tower beside a language model is there for its alignment only."""
        return self.llm is None or bool(encoder.modalities & self.llm.slots)

    def features(self, batch: Sequence[Prepared], every: bool = True) -> dict[Modality, Features]:
        """Rows of a batch as the encoders give them; with `every` False only those that an answer depends on."""
        samples = tuple(one.sample for one in batch)
        found: dict[Modality, Features] = {}
        for index, encoder in enumerate(self.encoders):
            if every or self._feeds(encoder):
                found |= encoder.encode(Batch(samples, tuple(one.inputs[index] for one in batch)))
        return found

    def project(self, features: Mapping[Modality, Features]) -> dict[Lane, Tokens]:
        """The same rows in the width of the language model."""
        return {} if self.projector is None else self.projector.project(features)

    def tokens(self, batch: Sequence[Prepared]) -> dict[Lane, Tokens]:
        """Rows of a batch in the width of the language model."""
        return self.project(self.features(batch, every=False))

    def loss(
        self, batch: Sequence[Prepared], features: Mapping[Modality, Features] | None = None, **options: Any
    ) -> Tensor:
        """Mean loss of the true answers. `features` may be given when encoders are frozen and their rows kept."""
        if self.llm is None:
            raise WiringError("a model without an llm has no generative loss")
        tokens = self.tokens(batch) if features is None else self.project(features)
        return self.llm.loss(*self.targets(batch, tokens), **options)

    def targets(
        self, batch: Sequence[Prepared], tokens: Mapping[Lane, Tokens]
    ) -> tuple[list[Prompt], Mapping[Lane, Tokens], list[str]]:
        """What the language model is taught about a batch: questions, rows and the true answers."""
        if self._prompt is None:
            raise WiringError("a model without a prompt has nothing to be taught")
        samples = [self._seen(one, tokens, index) for index, one in enumerate(batch)]
        answers = [self.decoder.encode(sample.truth) for sample in samples]  # type: ignore[arg-type]
        return [self._prompt(sample) for sample in samples], tokens, answers

    def predict(self, samples: Sequence[Sample], limits: Limits | None = None) -> list[Prediction[T]]:
        """One prediction a sample, in order; never raises for a bad sample."""
        return self.answer([self.prepare(sample) for sample in samples], limits)

    def answer(self, batch: Sequence[Prepared], limits: Limits | None = None) -> list[Prediction[T]]:
        """Predictions for samples that are prepared already, in one batch of the language model."""
        good = [one for one in batch if one.usable]
        told = iter(self.told(good, limits) if good else ())
        return [next(told)[1] if one.usable else Prediction(one.sample.id, None, one.problems) for one in batch]

    def replies(self, batch: Sequence[Prepared], limits: Limits | None = None) -> list[Generation]:
        """What the language model, or the engine, writes about usable samples, before it is read."""
        return [evidence for evidence, _ in self.told(batch, limits)]

    def told(self, batch: Sequence[Prepared], limits: Limits | None = None) -> list[tuple[Any, Prediction[T]]]:
        """Of each usable sample the evidence (what the decoder reads), and what the decoder made of it."""
        start = time.perf_counter()
        with torch.inference_mode():
            tokens = self.tokens(batch)
        encoded = time.perf_counter()
        samples = [self._seen(one, tokens, index) for index, one in enumerate(batch)]
        seconds = {} if self.engine is not None else {"encode": (encoded - start) / len(batch)}
        evidence: Sequence[Any] = _rows(tokens)
        if self.decoder.reads == "generation":
            evidence = self._generate(batch, samples, tokens, limits or self.limits)
            seconds["generate"] = (time.perf_counter() - encoded) / len(batch)
        answers = []
        for one, sample, seen in zip(batch, samples, evidence, strict=True):
            found = self.decoder.decode(seen, sample)
            problems = one.problems + found.problems
            timing = {"prepare": one.seconds, **seconds}
            answers.append((seen, replace(found, problems=problems, used=sample.meta["used"], timing_s=timing)))
        return answers

    def _generate(
        self, batch: Sequence[Prepared], samples: Sequence[Sample], tokens: Mapping[Lane, Tokens], limits: Limits
    ) -> list[Generation]:
        if self._prompt is None:
            raise WiringError("a decoder that reads generations needs a prompt")
        constraints: list[Constraint | None] = [self.decoder.constraint(sample) for sample in samples]
        for constraint in constraints:
            _check_budget(limits, constraint)
        prompts = [self._prompt(sample) for sample in samples]
        if self.engine is not None:
            opened = [{k: v for made in one.inputs for k, v in made.items()} for one in batch]
            return self.engine.reply(prompts, opened, constraints, limits)
        if self.llm is None:
            raise WiringError("a decoder that reads generations needs an llm or an engine")
        return self.llm.generate(prompts, tokens, constraints, limits)

    def _seen(self, one: Prepared, tokens: Mapping[Lane, Tokens], index: int) -> Sample:
        """The sample as prompt and decoder see it, in training and serving: with what encoders measured, and `used`."""
        used = {lane for lane, rows in tokens.items() if rows.lengths[index] and lane != "fused"}
        used |= set(one.seen) if self.engine is not None else set()
        used |= {"text"} if self.llm is not None and one.sample.has_words else set()  # read as it is
        return replace(one.sample, meta={**one.sample.meta, **one.facts, "used": tuple(sorted(used))})


def _check_budget(limits: Limits, constraint: Constraint | None) -> None:
    if constraint is not None and limits.max_new_tokens < constraint.minimum:
        raise BudgetError(
            f"max_new_tokens={limits.max_new_tokens} cannot hold a reply of this schema: {constraint.minimum} is the "
            f"least at which a cut reply can be closed, {constraint.longest + 1} never cuts one"
        )


def _rows(tokens: Mapping[Lane, Tokens]) -> list[dict[Lane, Tensor]]:
    """Each sample's own rows, for decoders that read them without a language model."""
    parts = {lane: rows.values.split(list(rows.lengths)) for lane, rows in tokens.items()}
    return [dict(zip(parts, rows, strict=True)) for rows in zip(*parts.values(), strict=True)]
