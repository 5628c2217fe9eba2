"""The four abstractions. An implementation *has* an `nn.Module`; it is not one, so views can share a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, runtime_checkable

from vlmkit.types import (
    Batch,
    Constraint,
    Features,
    Generation,
    Inputs,
    Lane,
    Limits,
    Modality,
    Prediction,
    Prompt,
    Sample,
    Tokens,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

    from vlmkit.backbone import Backbone

T = TypeVar("T")

Role = Literal["encoder", "aligner", "projector", "llm", "lora", "decoder"]
ROLES: tuple[Role, ...] = ("encoder", "aligner", "projector", "llm", "lora", "decoder")


@runtime_checkable
class Reader(Protocol):
    """Media to what a model takes of them. It owns its preprocessing, so that training and serving share it.

    Attributes:
        modalities: what it gives.
        reads: what it opens for them: an audio encoder also opens films, for their sound tracks.
        spec: its preprocessing as plain JSON data; saved beside the weights and replayed.
    """

    modalities: frozenset[Modality]
    reads: frozenset[Modality]
    spec: Mapping[str, Any]

    def transform(self, sample: Sample, modality: Modality) -> Inputs | None:
        """Decode and prepare one modality of one sample; None where the sample has nothing of it.

        Raises `MediaError` for a file that cannot be used: that modality alone is lost.
        """
        ...


@runtime_checkable
class Encoder(Reader, Protocol):
    """Media to features.

    Attributes:
        dim: width of `Features.values`.
        module: what holds its parameters.
    """

    dim: int
    module: nn.Module

    def encode(self, batch: Batch) -> dict[Modality, Features]:
        """Rows of every modality it reads; `lengths` is 0 where a sample does not have it."""
        ...


@runtime_checkable
class Projector(Protocol):
    """Features to tokens in the width of the language model.

    One that brings modalities into a shared space first has that part as `aligner`, a role of its own.
    """

    in_dims: Mapping[Modality, int]
    out_dim: int
    module: nn.Module

    def project(self, features: Mapping[Modality, Features]) -> dict[Lane, Tokens]:
        """Keep `lengths`; change width."""
        ...


@runtime_checkable
class LanguageModel(Protocol):
    """Tokens and a prompt to text, or to a loss."""

    dim: int
    slots: frozenset[Modality]
    module: nn.Module

    def generate(
        self,
        prompts: Sequence[Prompt],
        tokens: Mapping[Lane, Tokens],
        constraints: Sequence[Constraint | None],
        limits: Limits,
    ) -> list[Generation]:
        """One reply a prompt, in order. A batch of many equals many batches of one."""
        ...

    def loss(self, prompts: Sequence[Prompt], tokens: Mapping[Lane, Tokens], answers: Sequence[str]) -> Tensor:
        """Mean cross-entropy of the answers' tokens, the prompt's left out."""
        ...


@runtime_checkable
class Engine(Protocol):
    """A language model that runs elsewhere and brings its own encoders: vLLM, a server. It answers; it does not learn.

    Attributes:
        media: modalities that it takes as they are: what `encoders.opened.Opened` made of them.
        backbone: what it says of its weights, and how an adapter joins them.
    """

    media: frozenset[Modality]

    @property
    def backbone(self) -> Backbone:
        """The engine's weights."""
        ...

    def reply(
        self,
        prompts: Sequence[Prompt],
        opened: Sequence[Inputs],
        constraints: Sequence[Constraint | None],
        limits: Limits,
    ) -> list[Generation]:
        """One reply a prompt, in order; `opened` are the media of each prompt, as `Opened.transform` gives them."""
        ...


@runtime_checkable
class Decoder(Protocol[T]):
    """Evidence to a typed result, and a result to the text that a model is trained to write."""

    reads: Literal["generation", "tokens"]

    def constraint(self, sample: Sample) -> Constraint | None:
        """What replies about this sample have to obey."""
        ...

    def encode(self, value: T) -> str:
        """The training target. `decode(encode(x)) == x`, always."""
        ...

    def decode(self, evidence: Any, sample: Sample) -> Prediction[T]:
        """Total: any evidence gives a value or a fatal `Problem`, never an exception.

        `evidence` is what `reads` says: a `Generation`, or the sample's own rows `{lane: [n, d]}`.
        """
        ...
