"""Which of a server's models is meant."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vlmkit.errors import AdapterError, WiringError
from vlmkit.llms.openai.client import Card, Host
from vlmkit.llms.served import ServedWeights


@dataclass(frozen=True)
class Served:
    """A model on a server.

    Attributes:
        model: what requests name; the adapter where there is one.
        base: hub id of the head's base; None where it is a directory.
        adapter: what the user called the adapter.
        context: positions that prompt and reply have to share, where the server tells.
    """

    model: str
    base: str | None
    adapter: str | None = None
    context: int | None = None

    def weights(self) -> ServedWeights:
        """What a head may ask of them; which modules an adapter reaches is not known here."""
        return ServedWeights("openai", self.base, None, {} if self.adapter is None else {Path(self.adapter): ()})


def choose(host: Host, source: str | Path, named: str | None, adapter: str | None) -> Served:
    """The model that requests are to name.

    A server that lists nothing is asked for the name that was given, or for the head's own base.

    Args:
        source: hub id or directory of the head's base.
        named: what the user says that the base is called there.
        adapter: a name there, or the directory that the server serves under any name.

    Raises `WiringError` for a base, `AdapterError` for an adapter that is not served.
    """
    own = None if os.path.isdir(source) else str(source)
    bases = [card for card in host.cards if card.parent is None]
    base = _base(host, bases, str(source), named)
    if adapter is None:
        return Served(base.id, own, context=base.context)
    found = _adapter(host, adapter)
    if found.id == base.id:
        raise AdapterError(f"{host.shown} serves {adapter!r} as a base, not as an adapter; leave the adapter out")
    names = {base.id, base.root, *(card.id for card in bases if base.root and card.root == base.root)}
    if found.parent is not None and found.parent not in names:
        raise AdapterError(
            f"{host.shown} serves adapter {adapter!r} on {found.parent!r}, not on {base.id!r}, which this head asks; "
            "name another adapter, or the model that it belongs to (--server URL#MODEL)"
        )
    return Served(found.id, own, adapter, context=base.context)


def _base(host: Host, bases: Sequence[Card], source: str, named: str | None) -> Card:
    wanted = named or source
    found = next((card for card in bases if card.id == wanted), None)
    if found is None and named is None:
        found = next((card for card in bases if _same(card.root, source)), None)
    if found is not None:
        return found
    if not host.cards or (named is not None and not host.is_vllm):
        return Card(wanted)  # servers that load on demand list what they have, not what they could have
    has = ", ".join(card.id for card in bases) or "none"
    raise WiringError(
        f"{host.shown} serves no model {wanted!r}; it serves: {has}; say which one is meant (--server URL#MODEL), or "
        "start it with that one"
    )


def is_other(host: Host, asked: str, told: str) -> bool:
    """Whether the server has a model `told` that is certainly not the one that was asked.

    Two names of one model are no difference, as with `vllm serve --served-model-name A B`, which signs as A.
    """
    cards = {card.id: card for card in host.cards}
    ours, theirs = cards.get(asked), cards.get(told)
    return ours is not None and theirs is not None and (ours.root, ours.parent) != (theirs.root, theirs.parent)


def _adapter(host: Host, adapter: str) -> Card:
    for card in host.cards:
        of_base = card.parent is not None
        if (card.id == adapter and (of_base or not host.is_vllm)) or (of_base and _same(card.root, adapter)):
            return card
    if not host.cards:
        return Card(adapter)
    served = ", ".join(card.id for card in host.cards if card.parent is not None) or "none"
    raise AdapterError(
        f"{host.shown} serves no adapter {adapter!r}; it serves: {served}; start it with it, e.g.: "
        f"vllm serve MODEL --enable-lora --lora-modules NAME={adapter}"
    )


def _same(root: str | None, given: str) -> bool:
    """Whether a server's `root` is what was given, however its path is written."""
    if root is None or root == given:
        return root is not None
    return os.path.isdir(given) and os.path.realpath(root) == os.path.realpath(given)
