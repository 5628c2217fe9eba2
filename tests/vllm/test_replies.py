"""What vLLM writes is what the local engine writes: ids, probabilities and reasons to stop."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.vllm.models import SCHEMA, Saved, adapter, asked, clip, legal, local, picture, same, samples, saved
from vlmkit.errors import UnknownNameError, WiringError
from vlmkit.llms.vllm import Vllm, VllmSettings
from vlmkit.types import Clip, Constraint, Limits, Sample

SETTINGS = VllmSettings(max_model_len=1024, max_num_seqs=8, cache_bytes=32 << 20)
FREE = Limits(24)
BOUND = Limits(SCHEMA.longest + 1)


class Case:
    """A base with two adapters, started once."""

    def __init__(self, family: str, folder: Path) -> None:
        self.base: Saved = saved(family, folder / "base")
        self.paths = {
            "one": adapter(self.base, folder / "one", 1),
            "two": adapter(
                self.base, folder / "two", 2, {"role": "llm", "r": 12, "alpha": 6, "targets": ("q_proj", "down_proj")}
            ),
        }
        base = self.base
        self.engine = Vllm(base.folder, video=base.video, image=base.image, adapters=self.paths, settings=SETTINGS)

    def reply(self, given: list[Sample], limits: Limits = FREE, **more: Any) -> Any:
        constraints = more.pop("constraints", [None] * len(given))
        return self.engine.reply([asked(one) for one in given], self.base.opened(given), constraints, limits, **more)


@pytest.fixture(scope="module", params=["qwen2_5_vl", "qwen3_vl"])
def case(request: Any, tmp_path_factory: pytest.TempPathFactory, engines: list[Any]) -> Case:
    made = Case(request.param, tmp_path_factory.mktemp(request.param))
    engines.append(made.engine)
    return made


def test_words_pictures_and_films_in_one_batch(case: Case) -> None:
    given = samples()
    wanted = local(case.base.native(), given, [None] * len(given), FREE)
    for found, reference in zip(case.reply(given), wanted, strict=True):
        same(found, reference)
    assert len({reference.ids for reference in wanted}) == len(given)  # each was asked about something else


def test_replies_obey_the_schema_and_are_the_local_ones(case: Case) -> None:
    given = samples()
    constraints = [SCHEMA] * len(given)
    wanted = local(case.base.native(), given, constraints, BOUND)
    found = case.reply(given, BOUND, constraints=constraints)
    for mine, reference in zip(found, wanted, strict=True):
        legal(mine.text)
        same(mine, reference)


def test_strings_are_written_as_the_grammar_here_writes_them(case: Case) -> None:
    """Hot draws over all that is legal: no white space, and escapes of two bytes where a letter needs one."""
    given = samples()[:2] * 8
    escaped = Constraint(json.dumps({"type": "string", "pattern": r'^["\\\f\n\r\t]{4,8}$'}), longest=24, minimum=6)
    for schema, read in ((SCHEMA, legal), (escaped, json.loads)):
        drawn = Limits(schema.longest + 1, temperature=2.0, seed=3)
        texts = [one.text for one in case.reply(given, drawn, constraints=[schema] * len(given))]
        for text in texts:
            read(text)
    pairs = {text[at : at + 2] for text in texts for at in range(1, len(text) - 1, 2)}
    assert len(pairs) > 1
    assert pairs <= {rf"\{letter}" for letter in '"\\fnrt'}


def test_bound_and_free_prompts_share_a_batch(case: Case) -> None:
    given = samples()[:4]
    constraints = [None, SCHEMA, None, SCHEMA]
    for found, reference in zip(
        case.reply(given, BOUND, constraints=constraints),
        local(case.base.native(), given, constraints, BOUND),
        strict=True,
    ):
        same(found, reference)


@pytest.mark.parametrize("schema", ['{"type":"nonsense"}', '{"enum":[]}'])
def test_a_prompt_that_vllm_refuses_leaves_its_batch_alone(case: Case, schema: str) -> None:
    given = samples()[:3]
    wanted = case.reply(given)
    refused = Constraint(schema, longest=24, minimum=6)
    first, second, third = case.reply(given, constraints=[None, refused, None])
    same(first, wanted[0])
    same(third, wanted[2])
    assert second.problem is not None
    assert (second.stop, second.problem.code) == ("failed", "engine_refused")
    assert "Grammar error" in second.problem.message


def test_base_and_two_adapters_in_one_batch_each_row_its_own(case: Case) -> None:
    """The order in which vLLM gives base rows an adapter's weights unless it has a slot to spare."""
    names = ["one", None, "two", "one", "two", None]
    given = [samples()[i] for i in (1, 2, 1, 2, 2, 1)]
    references = {
        name: local(case.base.native(case.paths[name] if name else None), given[:2], [None] * 2, FREE)
        for name in (None, "one", "two")
    }
    wanted = [references[name][0 if one.id == given[0].id else 1] for name, one in zip(names, given, strict=True)]
    for found, reference in zip(case.reply(given, adapters=names), wanted, strict=True):
        same(found, reference)
    assert len({reference.ids for reference in wanted}) == 6


def test_a_batch_equals_its_rows_alone(case: Case) -> None:
    given = samples()
    together = case.reply(given)
    for one, found in zip(given, together, strict=True):
        (alone,) = case.reply([one])
        assert alone.ids == found.ids


def test_the_same_pixels_at_other_times_are_another_film(case: Case) -> None:
    """Were films cached by their pixels, the second would be answered with the first one's times."""
    frames = clip(9, 8, 4.0).source
    given = [Sample("quick", {"video": Clip(frames, fps=4.0)}), Sample("slow", {"video": Clip(frames, fps=1.0)})]
    wanted = local(case.base.native(), given, [None] * 2, FREE)
    for found, reference in zip(case.reply(given), wanted, strict=True):
        same(found, reference)
    assert wanted[0].grids == wanted[1].grids
    assert wanted[0].logprobs != wanted[1].logprobs


def test_a_seed_repeats_a_draw_whatever_is_asked_beside_it(case: Case) -> None:
    given = samples()
    drawn = Limits(24, temperature=1.5, top_p=0.9, seed=3)
    (alone,) = case.reply(given[2:3], drawn)
    beside = case.reply(given, drawn)[2]
    assert alone.ids == beside.ids
    assert alone.ids != case.reply(given[2:3])[0].ids
    assert case.reply(given[2:3], Limits(24, temperature=1.5, seed=4))[0].ids != alone.ids


def test_a_penalty_for_repeating_is_the_local_one(case: Case) -> None:
    given = samples()[:3]
    limits = Limits(24, repetition_penalty=1.3)
    wanted = local(case.base.native(), given, [None] * 3, limits)
    assert [one.ids for one in case.reply(given, limits)] == [one.ids for one in wanted]
    assert wanted[0].ids != case.reply(given[:1])[0].ids


def test_a_prompt_that_leaves_no_place_is_unread_and_spoils_nothing(case: Case) -> None:
    given = [Sample("a", {"image": picture(1)}), Sample("b", {"image": picture(2)})]
    prompts = [asked(given[0], "ball " * 2000), asked(given[1])]
    long, short = case.engine.reply(prompts, case.base.opened(given), [None] * 2, FREE)
    assert (long.stop, long.text, long.n_new) == ("unread", "", 0)
    assert long.n_prompt > case.engine.context
    assert short.ids == local(case.base.native(), given[1:], [None], FREE)[0].ids


def test_slots_and_media_have_to_match(case: Case) -> None:
    with pytest.raises(WiringError, match="video slot"):
        case.engine.reply([asked(samples()[2])], [{}], [None], FREE)
    with pytest.raises(UnknownNameError, match="adapter 'three'"):
        case.reply(samples()[:1], adapters=["three"])


@pytest.mark.parametrize("fps", [1.0, 3.0, 7.0])
def test_films_of_every_rate_have_the_same_positions(fps: float, tmp_path: Path) -> None:
    """Qwen2.5-VL's positions are cut to whole numbers: a time that falls just short would move a frame."""
    base = saved("qwen2_5_vl", tmp_path / "base", fps)
    given = [Sample("a", {"video": clip(1, 60, 20.0)}), Sample("b", {"video": clip(2, 9, 2.0)})]
    engine = Vllm(base.folder, video=base.video, image=base.image, settings=SETTINGS)
    try:
        found = engine.reply([asked(one) for one in given], base.opened(given), [None] * 2, FREE)
    finally:
        engine.close()
    for mine, reference in zip(found, local(base.native(), given, [None] * 2, FREE), strict=True):
        same(mine, reference)


def test_two_engines_live_beside_each_other(case: Case) -> None:
    base = case.base
    beside = Vllm(base.folder, video=base.video, image=base.image, settings=SETTINGS)
    given = samples()[1:2]
    (theirs,) = beside.reply([asked(given[0])], base.opened(given), [None], FREE)
    beside.close()
    (ours,) = case.reply(given)  # it still answers
    same(theirs, ours)
    with pytest.raises(WiringError, match="was closed"):
        beside.reply([asked(given[0])], base.opened(given), [None], FREE)
