"""What the room's training leaves out, and the truths that are taught."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.media.films import film
from tests.media.sounds import noise, wav
from tests.purrsight.reports import report
from vlmkit.loading import open_head
from vlmkit.training.cache import FeatureCache
from vlmkit.training.data import prepare
from vlmkit.types import Clip, Image, Sample, Sound
from vlmkit_plugins.purrsight.stages import STAGES


@pytest.fixture(scope="module")
def model() -> Any:
    return open_head("purrsight", preset="tiny", weights="random").model


def test_a_sample_whose_evidence_is_lost_is_left_out_by_name(model: Any, tmp_path: Path) -> None:
    """A truth about a sound that nobody could hear would teach to invent."""
    import numpy as np

    picture = Image(np.full((64, 64, 3), 90, np.uint8))
    deaf = report(vocalization="not_observed")
    samples = [
        Sample("good", {"image": picture}, truth=deaf),
        Sample("broken sound", {"image": picture, "audio": Sound(b"no sound")}, truth=report()),
        Sample("no track", {"video": Clip(film(25))}, truth=report()),
        Sample("mute film", {"video": Clip(film(25))}, truth=deaf),
        Sample("heard", {"image": picture, "audio": Sound(wav(noise(32_000)))}, truth=report()),
    ]
    cache = FeatureCache(tmp_path)
    for _ in range(2):  # encoded, then from the cache
        rows, bad = prepare(model, samples, STAGES["tiny"][2:], cache)
        assert [row.prepared.sample.id for row in rows.items] == ["good", "mute film", "heard"]
        assert list(bad) == ["broken sound", "no track"]
        assert "vocalization is said to be 'purr', which video cannot show" in bad["no track"]
    assert cache.read


def test_every_stage_of_both_presets_names_roles_that_the_model_has(model: Any) -> None:
    for preset, stages in STAGES.items():
        for stage in stages:
            assert set(stage.rates) == set(stage.roles), preset
            assert all(role == "lora" or model.roles[role] for role in stage.roles)
            json.dumps(stage.lora)
