"""An adapter is loaded into the base it was trained on, whatever path that base lies under."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.llms.lora.adapters import BASE, BASES, trained
from vlmkit.errors import AdapterError
from vlmkit.llms.lora import adapted, load_adapter, save_adapter

SHA = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("base", "revision", "message"),
    [
        ("owner/other", None, r"trained on base 'owner/base', given 'owner/other'"),
        ("/models/other", None, r"given '/models/other'"),
        (BASE, SHA.replace("0", "f"), r"at revision '0123.*given revision 'f123"),
        ("/cache/models--owner--other/snapshots/" + SHA, None, r"given 'owner/other'"),
        ("/cache/models--owner--base/snapshots/" + SHA.replace("0", "f"), None, r"given revision 'f123"),
    ],
)
def test_another_base_is_refused(base: str, revision: str | None, message: str, tmp_path: Path) -> None:
    module, _ = trained("qwen2")
    save_adapter(module, tmp_path, base=BASE, revision=SHA, provenance={})
    again, _ = BASES["qwen2"]()
    with pytest.raises(AdapterError, match=message):
        load_adapter(again, tmp_path, base=base, revision=revision)
    assert not adapted(again)


@pytest.mark.parametrize(
    ("base", "revision"),
    [
        (BASE, None),
        ("Owner/Base", SHA),
        (BASE, "main"),  # a branch and a commit cannot be compared
        ("/models/base", None),
        ("/cache/models--owner--base/snapshots/" + SHA, None),
        (None, None),
    ],
)
def test_the_same_base_under_another_name_is_taken(base: str | None, revision: str | None, tmp_path: Path) -> None:
    module, _ = trained("qwen2")
    save_adapter(module, tmp_path, base=BASE, revision=SHA, provenance={})
    again, _ = BASES["qwen2"]()
    assert load_adapter(again, tmp_path, base=base, revision=revision).modules
