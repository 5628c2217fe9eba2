"""The engine openai on a real vLLM server: what it writes is what the local engine writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.vllm.models import SCHEMA, Saved, adapter, asked, legal, local, samples, saved
from tests.vllm.servers import Serve
from vlmkit.errors import AdapterError, WiringError
from vlmkit.llms.openai import OpenAi, open_openai
from vlmkit.remote import Server
from vlmkit.task import BuildOptions
from vlmkit.types import Generation, Limits, Sample

FREE = Limits(24)
BOUND = Limits(SCHEMA.longest + 1)
FAMILIES = ("qwen2_5_vl", "qwen3_vl")


class Case:
    """A base with two adapters, on a server."""

    def __init__(self, family: str, folder: Path) -> None:
        self.base: Saved = saved(family, folder / "base")
        self.paths = {
            "one": adapter(self.base, folder / "one", 1),
            "two": adapter(self.base, folder / "two", 2, {"role": "llm", "r": 12, "alpha": 6, "targets": ("q_proj",)}),
        }
        self.serve = Serve(self.base.folder, folder / "log.txt", self.paths)

    def engine(self, adapter: str | Path | None = None, **server: Any) -> OpenAi:
        named = None if adapter is None else Path(adapter)
        options = BuildOptions(engine="openai", adapter=named, server=Server(self.serve.url, **server))
        return open_openai(options, self.base.folder, video=self.base.video, image=self.base.image)

    def reply(self, engine: OpenAi, given: list[Sample], limits: Limits, constraint: Any = None) -> list[Generation]:
        return engine.reply([asked(one) for one in given], self.base.opened(given), [constraint] * len(given), limits)


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Case]]:
    """Both families, started side by side: most of a start is imports."""
    with ExitStack() as stack:
        made = {family: Case(family, tmp_path_factory.mktemp(family)) for family in FAMILIES}
        for case in made.values():
            stack.callback(case.serve.stop)
        for case in made.values():
            case.serve.wait()
        yield made


@pytest.fixture(params=FAMILIES)
def case(request: Any, cases: dict[str, Case]) -> Case:
    return cases[request.param]


def test_words_pictures_and_films_are_read_and_answered_as_here(case: Case) -> None:
    given = samples()
    wanted = local(case.base.native(), given, [None] * len(given), FREE)
    engine = case.engine()
    assert engine.form == "pngs"
    for found, reference, sample in zip(case.reply(engine, given, FREE), wanted, given, strict=True):
        assert found.problem is None
        assert found.prompt_ids == reference.prompt_ids, sample.id  # slots widened: the grids are equal, too
        assert found.ids == reference.ids, sample.id
        assert (found.stop, found.n_prompt, found.n_new) == (reference.stop, reference.n_prompt, reference.n_new)
    assert len({reference.ids for reference in wanted}) == len(given)


@pytest.mark.parametrize("who", [None, "one", "two"])
def test_replies_obey_the_schema_and_are_the_local_ones(case: Case, who: str | None) -> None:
    given = samples()
    path = case.paths[who] if who else None
    wanted = local(case.base.native(path), given, [SCHEMA] * len(given), BOUND)
    for name in [who, path] if who else [None]:  # an adapter by its name, and by its directory
        for found, reference, sample in zip(
            case.reply(case.engine(name), given, BOUND, SCHEMA), wanted, given, strict=True
        ):
            legal(found.text)
            assert (found.text, found.ids) == (reference.text, reference.ids), sample.id
            np.testing.assert_allclose(found.logprobs, reference.logprobs, atol=1e-3)
            for (a, b), (start, end) in zip(found.spans, reference.spans, strict=True):
                assert a <= start and end <= b  # of a character in several tokens each has the whole
                assert (a, b) == (start, end) or not found.text.isascii()


def test_adapters_and_base_answer_side_by_side(case: Case) -> None:
    given = samples()[:3]
    found = {name: case.reply(case.engine(name), given, FREE) for name in (None, "one", "two")}
    for name, replies in found.items():
        native = case.base.native(case.paths[name] if name else None)
        wanted = local(native, given, [None] * len(given), FREE)
        assert [one.ids for one in replies] == [one.ids for one in wanted]
    assert len({tuple(one.ids for one in replies) for replies in found.values()}) == 3


def test_a_draw_repeats_with_its_seed(case: Case) -> None:
    engine, given = case.engine(), samples()[:2]
    drawn = [case.reply(engine, given, Limits(24, temperature=1.5, seed=seed, top_p=0.9)) for seed in (1, 1, 2)]
    first, again, other = [[one.ids for one in replies] for replies in drawn]
    assert first == again
    assert first != other


def test_a_prompt_that_does_not_fit_is_a_problem_of_its_own(case: Case) -> None:
    given = samples()[:2]
    prompts = [asked(given[0], "word " * 2000), asked(given[1])]
    found = case.engine().reply(prompts, case.base.opened(given), [SCHEMA] * 2, BOUND)
    assert found[0].problem is not None
    assert found[0].problem.code == "engine_refused"
    assert "1024" in found[0].problem.message
    legal(found[1].text)


def test_a_reply_that_does_not_fit_behind_its_prompt_is_cut(case: Case) -> None:
    (found,) = case.engine().reply(
        [asked(samples()[0], "word " * 150)], case.base.opened(samples()[:1]), [None], Limits(4096)
    )
    assert (found.problem, found.stop) == (None, "length")
    assert found.n_prompt + found.n_new == 1024


def test_frame_by_frame_also_works(case: Case) -> None:
    (sample,) = [one for one in samples() if one.id == "one frame"]
    (found,) = case.reply(case.engine(film="frames"), [sample], BOUND, SCHEMA)
    legal(found.text)


def test_what_is_not_served_is_refused(case: Case, tmp_path: Path) -> None:
    with pytest.raises(AdapterError, match="serves no adapter 'three'; it serves: one, two"):
        case.engine("three")
    with pytest.raises(WiringError, match="serves no model"):
        case.engine(model="nobody")
    options = BuildOptions(engine="openai", server=Server(case.serve.url))
    with pytest.raises(WiringError, match="say which one is meant"):
        open_openai(options, tmp_path, video=case.base.video, image=case.base.image)
