from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from vlmkit.errors import VlmkitError
from vlmkit.settings import NAMES, Settings
from vlmkit_plugins.football.settings import _CALLED, Environment, read

# Of every setting three values, as a file or the environment has them and as they are read.
VALUES: Mapping[str, tuple[tuple[str, Any], tuple[str, Any], tuple[str, Any]]] = {
    "model": (("a/base", "a/base"), ("b/base", "b/base"), ("c/base", "c/base")),
    "adapter": (("a", Path("a")), ("b", Path("b")), ("c", Path("c"))),
    "device": (("cpu", "cpu"), ("cuda", "cuda"), ("cuda:1", "cuda:1")),
    "temperature": (("0.6", 0.6), ("0", 0.0), ("1.5", 1.5)),
    "top_p": (("0.95", 0.95), ("0.5", 0.5), ("1", 1.0)),
    "max_tokens": (("4096", 4096), ("512", 512), ("1", 1)),
    "repetition_penalty": (("1.05", 1.05), ("1.2", 1.2), ("1.0", 1.0)),
    "fps": (("4", 4.0), ("2", 2.0), ("0.5", 0.5)),
    "max_frames": (("10", 10), ("64", 64), ("1", 1)),
    "results": (("out", Path("out")), ("there", Path("there")), ("here", Path("here"))),
}


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An environment and a folder without any of the keys."""
    for name in Environment.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def _file(**keys: str) -> None:
    Path(".env").write_text("".join(f"{key}={value}\n" for key, value in keys.items()), encoding="utf-8")


def test_every_setting_has_its_key_and_its_option() -> None:
    assert set(VALUES) == set(_CALLED) == NAMES
    assert set(_CALLED.values()) | {"log_level"} == set(Environment.model_fields)


def test_nothing_said_is_nothing_chosen() -> None:
    assert read() == Settings()
    assert read().load() == {}


@pytest.mark.parametrize("name", sorted(VALUES))
def test_each_beats_the_next(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    key = _CALLED[name].upper()
    (in_file, from_file), (in_environment, from_environment), (_, typed) = VALUES[name]

    def chosen(**given: Any) -> Any:
        found = read(given)
        assert found == Settings.of({name: _value(found, name)}, notes=found.notes), "and nothing else is chosen"
        return _value(found, name)

    assert _value(read(), name) is None, "the default: what the preset has by itself"
    _file(**{key: in_file})
    assert chosen() == from_file, ".env beats the default"
    assert chosen(**{name: typed}) == typed, "the command line beats .env"
    monkeypatch.setenv(key, in_environment)
    assert chosen() == from_environment, "the environment beats .env"
    assert chosen(**{name: typed}) == typed, "the command line beats both"
    Path(".env").unlink()
    assert chosen() == from_environment, "the environment beats the default"
    assert chosen(**{name: typed}) == typed, "the command line beats the environment"
    monkeypatch.delenv(key)
    assert chosen(**{name: typed}) == typed, "the command line beats the default"


def _value(found: Settings, name: str) -> Any:
    limits = {"max_tokens": "max_new_tokens"}.get(name, name)
    video = found.specs.get("video", {})
    return getattr(found, name, None) or found.limits.get(limits, video.get(name))


def test_the_log_level_too_and_in_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    _file(LOG_LEVEL="info")
    assert read().log_level == "INFO"
    monkeypatch.setenv("LOG_LEVEL", "ERROR")
    assert read().log_level == "ERROR"


def test_what_a_file_of_the_original_says_reaches_load(monkeypatch: pytest.MonkeyPatch) -> None:
    _file(
        MODEL_PATH="nvidia/Cosmos-Reason1-7B",
        LORA_PATH="../05_training/checkpoints/football_sft  # the adapter",
        TEMPERATURE="0.6",
        TOP_P="0.95",
        REPETITION_PENALTY="1.05",
        MAX_TOKENS="4096",
        VIDEO_FPS="4",
        MAX_VIDEO_FRAMES="10",
        OUTPUT_DIR="./inference_results",
        MAX_LENGTH="4096",
    )
    found = read()
    assert found.load() == {
        "model": "nvidia/Cosmos-Reason1-7B",
        "adapter": Path("../05_training/checkpoints/football_sft"),
        "limits": {"temperature": 0.6, "top_p": 0.95, "repetition_penalty": 1.05, "max_new_tokens": 4096},
        "specs": {"video": {"fps": 4.0, "max_frames": 10}},
    }
    assert found.results == Path("inference_results")
    assert found.notes[0] == ".env: MAX_LENGTH is not used: the context is the model's own"
    assert "TEMPERATURE=0.6 (.env)" in found.notes[1]


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("TEMPERATURE", "hot", "valid number"),
        ("TEMPERATURE", "-1", "greater than or equal to 0"),
        ("TEMPERATURE", "nan", "finite"),
        ("TOP_P", "1.5", "less than or equal to 1"),
        ("MAX_TOKENS", "0", "greater than or equal to 1"),
        ("MAX_TOKENS", "4k", "valid integer"),
        ("REPETITION_PENALTY", "0", "greater than 0"),
        ("VIDEO_FPS", "0", "greater than 0"),
        ("LOG_LEVEL", "loud", "'DEBUG'"),
    ],
)
def test_a_bad_value_is_one_line_with_key_value_and_source(
    key: str, value: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _file(**{key: value})
    with pytest.raises(VlmkitError) as caught:
        read()
    assert str(caught.value).startswith(f"{key}={value!r} (.env): ") or key == "LOG_LEVEL"
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)
    Path(".env").unlink()
    monkeypatch.setenv(key, value)
    with pytest.raises(VlmkitError, match=rf"^{key}=.* \(environment\): "):
        read()


def test_a_bad_value_that_nothing_asks_is_not_in_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    _file(TEMPERATURE="hot")
    monkeypatch.setenv("TEMPERATURE", "0.5")
    assert read().limits == {"temperature": 0.5}
    assert read({"temperature": 0.2}).limits == {"temperature": 0.2}


def test_a_bad_option_is_named_as_it_was_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDEO_FPS", "2")
    with pytest.raises(VlmkitError, match=r"^--fps 0\.0: Input should be greater than 0"):
        read({"fps": 0.0})


def test_empty_keys_say_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    _file(LORA_PATH="", TEMPERATURE="0.6")
    monkeypatch.setenv("TEMPERATURE", "")
    assert read().load() == {"limits": {"temperature": 0.6}}


def test_near_misses_are_named_and_other_programs_keys_are_theirs() -> None:
    _file(
        MODELPATH="x",
        TEMPERTURE="1",
        MAX_TOKEN="3",
        VIDEO_FSP="4",
        NVIDIA_API_KEY="secret",
        PORT="8000",
        VITE_API_BASE_URL="…",
        MODEL_NAME="n",
    )
    found = read()
    assert found.load() == {}
    assert [note.removeprefix(".env: ") for note in found.notes] == [
        "MODELPATH is not read; did you mean MODEL_PATH?",
        "TEMPERTURE is not read; did you mean TEMPERATURE?",
        "MAX_TOKEN is not read; did you mean MAX_TOKENS?",
        "VIDEO_FSP is not read; did you mean VIDEO_FPS?",
    ]


@pytest.mark.parametrize("given", [{"preset": "tiny"}, {"weights": "random"}])
def test_a_preset_on_the_command_line_is_a_choice_of_weights(given: dict[str, str]) -> None:
    _file(MODEL_PATH="a/base", LORA_PATH="lora", DEVICE="cpu")
    found = read(given)
    assert found.load() == {"device": "cpu"}
    assert found.notes[0] == "the command line says which weights are meant; MODEL_PATH and LORA_PATH (.env) left out"
    assert read({**given, "adapter": Path("mine")}).adapter == Path("mine")


def test_a_folder_of_that_name_and_text_that_is_none(tmp_path: Path) -> None:
    Path(".env").mkdir()
    assert read() == Settings()
    Path(".env").rmdir()
    Path(".env").write_bytes(b"TEMPERATURE=\xff\n")
    with pytest.raises(VlmkitError, match=r"^\.env: it is no UTF-8 text"):
        read()
