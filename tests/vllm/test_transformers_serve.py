"""The engine openai on a real `transformers serve`: no schema, no probabilities, no ids, and films as pictures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.vllm.models import SCHEMA, Saved, Things, asked, local, samples, saved
from tests.vllm.servers import Process, free_port
from vlmkit.decoders.json import JsonDecoder
from vlmkit.llms.openai import OpenAi, open_openai
from vlmkit.remote import Server
from vlmkit.task import BuildOptions
from vlmkit.types import Limits

FREE = Limits(24)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    return saved("qwen2_5_vl", tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def engine(base: Saved, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenAi]:
    folder, port = tmp_path_factory.mktemp("serve"), free_port()
    where = ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu", "--dtype", "float32"]
    command = ["-m", "transformers.cli.transformers", "serve", str(base.folder), *where]
    process = Process(command, port, folder / "log.txt", {"HF_HOME": str(folder)})
    try:
        process.wait()
        options = BuildOptions(engine="openai", server=Server(f"http://127.0.0.1:{port}/v1"))
        yield open_openai(options, base.folder, video=base.video, image=base.image)
    finally:
        process.stop()


def test_words_and_pictures_are_answered_as_here(base: Saved, engine: OpenAi) -> None:
    given = samples()[:2]
    wanted = local(base.native(), given, [None] * 2, FREE)
    found = engine.reply([asked(one) for one in given], base.opened(given), [None] * 2, FREE)
    for reply, reference in zip(found, wanted, strict=True):
        assert reply.problem is None
        # a random model also writes pad tokens and bytes that are no characters: this server shows them, we do not
        assert re.sub(r"<\|\w+\|>|\ufffd", "", reply.text) == reference.text
        assert (reply.n_prompt, reply.stop) == (reference.n_prompt, reference.stop)
        assert (reply.ids, reply.prompt_ids, reply.logprobs) == ((), (), ())


def test_films_go_frame_by_frame_and_what_is_no_answer_is_a_problem(base: Saved, engine: OpenAi) -> None:
    assert engine.form == "frames"
    film = next(one for one in samples() if one.id == "slow film")
    (found,) = engine.reply([asked(film)], base.opened([film]), [SCHEMA], FREE)
    assert found.problem is None
    assert found.n_prompt > 7 * 4  # seven pictures of four rows or more
    prediction = JsonDecoder(Things, lenient=True).decode(found, film)
    assert prediction.value is None  # a random model, held to nothing
    assert {one.code for one in prediction.problems} <= {"not_json", "truncated", "schema"}


def test_a_model_that_is_not_there(base: Saved, engine: OpenAi, tmp_path: Path) -> None:
    options = BuildOptions(engine="openai", server=Server(engine.host.url, model=str(tmp_path)))
    other = open_openai(options, base.folder, video=base.video, image=base.image)
    (found,) = other.reply([asked(samples()[0])], base.opened(samples()[:1]), [None], FREE)
    assert found.problem is not None
    assert found.problem.code == "engine_refused"
