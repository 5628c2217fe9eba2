"""Whether two ways to name a base model can mean the same weights."""

from __future__ import annotations

import re
from pathlib import Path

_SHA = re.compile(r"[0-9a-f]{40}")
_CACHED = re.compile(r".*/models--([^/]+?)--([^/]+)/snapshots/([0-9a-f]{40})/?")


DIGEST = "sha256:"
"""How the name of a base begins that is on no hub: a digest of its weights follows."""


def named(base: str, revision: str | None) -> tuple[str, str | None]:
    """A base and its revision, read out of a hub cache path where it is one."""
    if found := _CACHED.fullmatch(Path(base).as_posix()):
        return f"{found[1]}/{found[2]}", revision or found[3]
    return base, revision


def mismatch(
    recorded: str | None, recorded_revision: str | None, given: str | None, given_revision: str | None
) -> str | None:
    """A sentence when both sides are known and differ; None when they agree or cannot be compared.

    Hub ids are compared whole. As soon as one side is a local directory only last parts can be compared: where
    weights lie is no part of what they are. Commit hashes are compared with hashes, branch names with branch names.
    """
    if recorded is None or given is None:
        return None
    ours, our_revision = named(given, given_revision)
    theirs, their_revision = named(recorded, recorded_revision)
    if is_hub_id(ours) and is_hub_id(theirs):
        same = ours.lower() == theirs.lower()
    else:
        same = Path(ours).name.lower() == Path(theirs).name.lower()
    if not same:
        return f"trained on base {theirs!r}, given {ours!r}"
    if not our_revision or not their_revision or our_revision == their_revision:
        return None
    if bool(_SHA.fullmatch(our_revision)) != bool(_SHA.fullmatch(their_revision)):
        return None
    return f"trained on {theirs!r} at revision {their_revision!r}, given revision {our_revision!r}"


def is_hub_id(base: str) -> bool:
    """Whether a name can be one of the hub's: `owner/name`, and no directory here."""
    return bool(re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", base)) and not Path(base).is_dir()
