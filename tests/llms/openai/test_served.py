"""Which of a server's models answers, and what is said where none fits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.llms.openai.heads import GOOD, engine, model, picture
from tests.llms.openai.loopback import Answer, chat, error, serving
from vlmkit.errors import AdapterError, WiringError
from vlmkit.remote import Server


def card(name: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "object": "model", "owned_by": "vllm", "max_model_len": 64, **more}


LISTED = (
    card("cosmos", root="nvidia/Cosmos-Reason1-7B"),
    card("other", root="org/other"),
    card("football", root="/adapters/football", parent="cosmos"),
    card("stray", root="/adapters/stray", parent="other"),
)


def asked(models: Any = LISTED, **chosen: Any) -> tuple[str, int]:
    """Which model a request names, and its budget."""
    with serving(chat(GOOD), models, "0.33.0") as told:
        made = model(told.url, **chosen)
        made.predict([picture()])
        assert engine(made).about["server"] == told.url
        return told.asked[0]["model"], told.asked[0]["max_tokens"]


def test_the_base_is_found_by_its_name_or_by_where_it_came_from() -> None:
    assert asked(source="other") == ("other", 64)
    assert asked(source="nvidia/Cosmos-Reason1-7B") == ("cosmos", 64)


def test_a_directory_is_the_same_however_its_path_is_written(tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.mkdir()
    (tmp_path / "link").symlink_to(base)
    assert asked((card("mine", root=str(base)),), source=str(tmp_path / "link"))[0] == "mine"


def test_the_user_may_say_which_model_is_meant() -> None:
    assert asked(source="nobody/knows", model="other") == ("other", 64)


def test_the_model_may_stand_behind_the_address() -> None:
    with serving(chat(GOOD), LISTED, "0.33.0") as told:
        made = model(f"{told.url}#other", source="nobody/knows")
        made.predict([picture()])
        assert told.asked[0]["model"] == "other"
    assert Server("http://h/v1#a", model="b") == Server("http://h/v1", model="b")


def test_another_model_is_never_taken_silently() -> None:
    with pytest.raises(WiringError, match=r"serves no model 'nobody/knows'; it serves: cosmos, other; say which one"):
        asked(source="nobody/knows")
    with pytest.raises(WiringError, match="serves no model 'typo'"):
        asked(model="typo")


def test_an_adapter_is_found_by_its_name_or_by_its_directory() -> None:
    for adapter in ("football", "/adapters/football"):
        found = asked(source="nvidia/Cosmos-Reason1-7B", options={"adapter": Path(adapter)})
        assert found == ("football", 64)


def test_an_adapter_that_is_not_served_is_refused() -> None:
    with pytest.raises(AdapterError, match=r"serves no adapter 'mine'; it serves: football, stray; start it with it"):
        asked(source="other", options={"adapter": Path("mine")})


def test_a_base_is_not_taken_for_an_adapter() -> None:
    with pytest.raises(AdapterError, match="serves no adapter 'other'; it serves: football, stray"):
        asked(source="nvidia/Cosmos-Reason1-7B", options={"adapter": Path("other")})
    with pytest.raises(AdapterError, match="serves 'base' as a base, not as an adapter; leave the adapter out"):
        asked(({"id": "base"},), options={"adapter": Path("base")})


def test_a_base_of_two_names_is_one_base() -> None:
    listed = (*LISTED, card("reason", root="nvidia/Cosmos-Reason1-7B"))
    assert asked(listed, model="reason", options={"adapter": Path("football")}) == ("football", 64)
    assert answered(listed, "cosmos", model="reason") == ([True], "")  # vLLM signs with its first name


def answered(models: Any, signed: Any, **chosen: Any) -> tuple[list[bool], str]:
    """Whether a reply that `signed` has signed is an answer, and the problem where it is none."""
    with serving(Answer({**chat(GOOD).body, "model": signed}), models, "0.33.0") as told:
        found = model(told.url, **chosen).predict([picture()])
    return [one.value is not None for one in found], "".join(
        problem.message for one in found for problem in one.problems
    )


def test_a_reply_of_another_model_is_no_answer(caplog: pytest.LogCaptureFixture) -> None:
    football = {"source": "nvidia/Cosmos-Reason1-7B", "options": {"adapter": Path("football")}}
    assert answered(LISTED, "football", **football) == ([True], "")
    told = "'football' was asked, and the server let 'cosmos' answer"
    assert answered(LISTED, "cosmos", **football) == ([False], told)
    assert caplog.text.count("signs as") == 0


@pytest.mark.parametrize(("signed", "warned"), [("gpt-2024-08-06", 0), ("", 0), (7, 0), ("someone\x1b[2J", 1)])
def test_a_name_that_nobody_lists_is_said_once(signed: Any, warned: int, caplog: pytest.LogCaptureFixture) -> None:
    with serving(Answer({**chat(GOOD).body, "model": signed}), ({"id": "gpt"},)) as told:
        made = model(told.url, source="gpt")
        assert all(one.value is not None for one in made.predict([picture("a"), picture("b")]))
    assert caplog.text.count("was asked for 'gpt', and signs as 'someone [2J'") == warned


def test_an_adapter_of_another_base_is_refused() -> None:
    with pytest.raises(AdapterError, match="serves adapter 'stray' on 'other', not on 'cosmos'"):
        asked(source="nvidia/Cosmos-Reason1-7B", options={"adapter": Path("stray")})


@pytest.mark.parametrize("listed", [error(404), Answer("hello"), Answer({"data": "none"}), Answer([3]), ()])
def test_a_server_that_lists_nothing_is_asked_for_the_heads_own_base(listed: Any) -> None:
    assert asked(listed, source="org/base")[0] == "org/base"
    assert asked(listed, source="org/base", options={"adapter": Path("mine")})[0] == "mine"


def test_a_server_that_loads_on_demand_may_serve_more_than_it_lists() -> None:
    assert asked(({"id": "cached", "owned_by": "org"},), model="org/new")[0] == "org/new"


def test_a_head_on_a_server_is_not_saved() -> None:
    with serving(chat(GOOD), LISTED, "0.33.0") as told:
        made = model(told.url, source="other", options={"adapter": Path("stray")})
        assert made.backbone is not None
        assert (made.backbone.base, made.backbone.untrained) == ("other", ())
        assert made.backbone.load_adapter(Path("stray")) == ()
        with pytest.raises(AdapterError, match="was started without this adapter"):
            made.backbone.load_adapter(Path("football"))
        with pytest.raises(WiringError, match="engine 'openai' holds cannot be saved"):
            made.backbone.save(Path("x"))


def test_no_server_at_all() -> None:
    with serving(chat(GOOD)) as told:
        gone = told.url
    with pytest.raises(WiringError, match=r"no server answers at http://127.0.0.1:\d+/v1; start one"):
        model(gone)


def test_no_film_goes_to_a_default_address() -> None:
    with pytest.raises(WiringError, match="no server was named; give its address"):
        model(None)


def test_the_environment_may_name_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(chat(GOOD), LISTED, "0.33.0") as told:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{told.url}#other")
        assert engine(model(None)).served.model == "other"
        assert engine(model(None, model="cosmos")).served.model == "cosmos"


@pytest.mark.parametrize(
    "url",
    [
        "localhost:8000", "ftp://host/v1", "http://", "/v1", "C:\\models",
        "http://[::1/v1", "http://host:99999/v1", "http://host:port/v1", "http://\u2028/v1",
    ],
)  # fmt: skip
def test_what_is_no_address_is_said(url: str) -> None:
    with pytest.raises(WiringError, match="is no address of a server"):
        model(url)


@pytest.mark.parametrize("key", ["ключ", "hidden\nb", "hidden ", " "])
def test_what_is_no_key_is_said(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with (
        serving(chat(GOOD)) as told,
        pytest.raises(WiringError, match="OPENAI_API_KEY holds what no key has") as caught,
    ):
        model(told.url)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_said_before_any_film_is_sent(status: int) -> None:
    with (
        serving(chat(GOOD), error(status)) as told,
        pytest.raises(WiringError, match=rf"refuses the key \(HTTP {status}\); set OPENAI_API_KEY"),
    ):
        model(told.url)


def test_credentials_in_an_address_are_not_shown() -> None:
    with serving(chat(GOOD)) as told:
        secret = told.url.replace("http://", "http://user:pass@")
        made = engine(model(f"{secret}?token=1"))
        assert made.about["server"] == told.url
    with pytest.raises(WiringError) as caught:
        model(secret)
    assert "pass" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"device": "cuda"}, "device='cuda': a server has a device of its own"),
        ({"precision": "int8"}, "precision='int8': a server has a precision of its own"),
        ({"weights": "random"}, "weights='random' are made in this process"),
    ],
)
def test_what_is_the_servers_own_cannot_be_chosen(options: dict[str, Any], match: str) -> None:
    with pytest.raises(WiringError, match=match):
        model("http://127.0.0.1:9/v1", options=options)


@pytest.mark.parametrize("fields", [{"film": "gif"}, {"concurrency": 0}, {"retries": -1}, {"timeout_s": 0.0}])
def test_a_server_is_asked_in_a_way_that_exists(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"film=|wanted concurrency"):
        Server("http://h/v1", **fields)
