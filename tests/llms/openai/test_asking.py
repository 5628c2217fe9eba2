"""What reaches a server is exactly what the local engine would see."""

from __future__ import annotations

import base64
import io
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image as Pillow

from tests.llms.openai.heads import GOOD, IMAGE, VIDEO, engine, film, model, noise, picture
from tests.llms.openai.loopback import chat, serving
from vlmkit.encoders.opened import Opened
from vlmkit.errors import WiringError
from vlmkit.llms.openai.asking import Form, ask, plain
from vlmkit.media.clock import TICKS
from vlmkit.media.video import Frames
from vlmkit.types import Limits, Message, Prompt, Sample, Slot

VLLM = ({"id": "base", "owned_by": "vllm", "root": "base", "max_model_len": 128},)


def pixels(url: str) -> np.ndarray[Any, Any]:
    return np.asarray(Pillow.open(io.BytesIO(base64.b64decode(url.rpartition(",")[2], validate=True))))


def parts(sample: Sample, **told: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    with serving(chat(GOOD), **told) as server:
        (found,) = model(server.url).predict([sample])
        assert found.value is not None
        (body,) = server.asked
    system, user = body["messages"]
    assert system == {"role": "system", "content": "You look."}
    assert user["role"] == "user"
    return user["content"], body


def test_a_picture_travels_without_loss() -> None:
    content, body = parts(picture())
    assert [part["type"] for part in content] == ["image_url", "text"]
    assert content[0]["image_url"]["url"].startswith("data:image/png;base64,")
    assert np.array_equal(pixels(content[0]["image_url"]["url"]), noise(1)[0])
    assert not {"mm_processor_kwargs", "media_io_kwargs", "top_k", "return_token_ids", "repetition_penalty"} & set(body)


def test_frames_travel_one_by_one_with_their_times() -> None:
    content, _ = parts(film())
    assert [part.get("text") for part in content] == [
        "0.00 s: ", None, "0.25 s: ", None, "0.50 s: ", None, "0.75 s: ", None, "What is it? "
    ]  # fmt: skip
    seen = [pixels(part["image_url"]["url"]) for part in content if part["type"] == "image_url"]
    assert np.array_equal(np.stack(seen), noise(4))


def test_vllm_is_sent_frames_in_one_part_with_their_times_beside() -> None:
    content, body = parts(film(n=5), models=VLLM, version="0.33.1")
    assert [part["type"] for part in content] == ["video_url", "text"]
    url = content[0]["video_url"]["url"]
    assert url.startswith("data:video/jpeg;base64,")
    seen = [pixels(each) for each in url.partition(",")[2].split(",")]  # as vLLM takes it apart
    assert np.array_equal(np.stack(seen), noise(5))
    assert body["media_io_kwargs"] == {
        "video": {
            "num_frames": -1,
            "fps": TICKS,
            "frames_indices": [0, 250_000, 500_000, 750_000, 1_000_000],
            "total_num_frames": 5 * 250_000,
            "duration": pytest.approx(1.25),
            "do_sample_frames": False,
        }
    }
    assert body["mm_processor_kwargs"] == {"do_resize": False, "do_sample_frames": False}
    assert (body["top_k"], body["repetition_penalty"], body["return_token_ids"]) == (0, 1.0, True)


@pytest.mark.parametrize("version", ["0.31.4", "dev", None])
def test_a_vllm_that_may_not_heed_times_is_sent_pictures_and_it_is_said(
    version: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    content, body = parts(film(), models=VLLM, version=version)
    assert {part["type"] for part in content} == {"image_url", "text"}
    assert "media_io_kwargs" not in body
    assert "films are sent frame by frame" in caplog.text


@pytest.mark.parametrize(
    ("asked", "vllm", "form"),
    [("video", True, "pngs"), ("video", False, "mp4"), ("frames", True, "frames"), ("auto", False, "frames")],
)
def test_how_films_are_sent_can_be_said(asked: str, vllm: bool, form: Form) -> None:
    with serving(chat(GOOD), VLLM if vllm else ({"id": "base"},), "0.40.0") as told:
        assert engine(model(told.url, film=asked)).form == form


def test_as_one_file_a_film_keeps_its_times_and_nearly_its_colours() -> None:
    smooth = np.kron(noise(6, seed=3)[:, :2, :2], np.ones((28, 28, 1), np.uint8))
    frames = Frames(smooth, (0.0, 0.25, 0.5, 1.0, 1.25, 1.5), 1.75, 4.0, 6, (56, 56))
    prompt = Prompt((Message("user", (Slot("video"),)),))
    (message,) = ask(prompt, {"video": frames}, "mp4", VIDEO).messages
    url = message["content"][0]["video_url"]["url"]
    assert url.startswith("data:video/mp4;base64,")
    with av.open(io.BytesIO(base64.b64decode(url.partition(",")[2])), "r") as container:
        seen = list(container.decode(video=0))
    assert [frame.time for frame in seen] == pytest.approx(frames.times_s, abs=1e-4)
    made = np.stack([frame.to_ndarray(format="rgb24") for frame in seen]).astype(int)
    inner = (slice(None), slice(4, 24), slice(4, 24))  # colours run at the edges of the blocks
    assert np.abs(made[inner] - smooth[inner].astype(int)).mean() < 6


def test_media_and_slots_have_to_match() -> None:
    with serving(chat(GOOD)) as told:
        made = engine(model(told.url))
        prompt = Prompt((Message("user", (Slot("video"), "?")),))
        with pytest.raises(WiringError, match="prompt 0 has slots for video; its media are none"):
            made.reply([prompt], [{}], [None], Limits(8))
        opened = Opened(video=VIDEO, image=IMAGE).transform(picture(), "image")
        assert opened is not None
        with pytest.raises(WiringError, match="prompt 0 has slots for nothing; its media are image"):
            made.reply([Prompt((Message("user", ("?",)),))], [opened], [None], Limits(8))
        assert told.asked == []


@pytest.mark.parametrize(
    "text",
    ["<|im_end|>", "</s>", "[INST]", "<end_of_turn>", "<image>", "</think>", "<|eot_id|>", "<|video_pad|>", "<</SYS>>"],
)
def test_text_cannot_end_a_turn(text: str) -> None:
    safe = plain(f"a {text} b")
    assert text not in safe
    assert safe.replace("\u200b", "") == f"a {text} b"


@pytest.mark.parametrize("text", ["a < b > c", "1 <| 2 |> 3", "<b>bold</b>", "[1, 2]", "x"])
def test_other_text_stays(text: str) -> None:
    assert plain(text) == text


def test_a_text_is_one_string_and_special_tokens_in_it_are_harmless() -> None:
    with serving(chat(GOOD)) as told:
        model(told.url).predict([Sample("words", text="<|im_end|>")])
        (body,) = told.asked
    assert body["messages"][1]["content"] == "What is it? <\u200b|im_end|>"


def test_limits_reach_the_server() -> None:
    with serving(chat(GOOD), VLLM, "0.33.0") as told:
        made = model(told.url)
        made.predict([picture()], Limits(999, temperature=0.6, seed=5, top_p=0.9, repetition_penalty=1.05))
        made.predict([picture()], Limits(100))
        drawn, greedy = told.asked
    names = ("temperature", "top_p", "repetition_penalty", "max_tokens", "seed", "model")
    assert [drawn[name] for name in names] == [0.6, 0.9, 1.05, 128, 5, "base"]  # no more than the context holds
    assert [greedy.get(name) for name in names] == [0.0, 1.0, 1.0, 100, None, "base"]


def test_the_key_is_the_environments_and_reaches_the_server_only(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    caplog.set_level("DEBUG", "vlmkit")
    with serving(chat(GOOD)) as told:
        made = model(told.url)
        (found,) = made.predict([picture()])
        assert [headers["authorization"] for headers in told.headers] == ["Bearer sk-very-secret"]
    assert "sk-very-secret" not in f"{found} {engine(made).about} {engine(made).server} {caplog.text}"
