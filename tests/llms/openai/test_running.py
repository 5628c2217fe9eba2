from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from tests.llms.openai.heads import GOOD, Seen, model, picture
from tests.llms.openai.loopback import Answer, chat, serving
from vlmkit.llms.openai.running import run


async def seven() -> int:
    await asyncio.sleep(0)
    return 7


async def broken() -> int:
    raise ValueError("broken")


def test_without_a_loop() -> None:
    assert run(seven) == 7
    with pytest.raises(ValueError, match="broken"):
        run(broken)


def test_inside_a_running_loop() -> None:
    async def notebook() -> int:
        with pytest.raises(ValueError, match="broken"):
            run(broken)
        return run(seven)

    assert asyncio.run(notebook()) == 7
    assert not [thread for thread in threading.enumerate() if thread.name == "vlmkit-openai"]


def test_a_head_answers_inside_a_notebook() -> None:
    with serving(chat(GOOD)) as told:
        made = model(told.url)

        async def cell() -> Seen | None:
            return made.predict([picture()])[0].value

        assert asyncio.run(cell()) == Seen(colour="red", words="a ball")


@pytest.fixture
def interruptible() -> Iterator[None]:
    # A shell without job control starts its background jobs with the signal ignored, and Python leaves it so.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("in_loop", [False, True])
def test_an_interrupted_call_ends_at_once(in_loop: bool) -> None:
    with serving(Answer(chat(GOOD).body, delay_s=5)) as told:
        made = model(told.url)

        async def cell() -> None:
            made.predict([picture()])

        def ask() -> None:
            # a notebook's loop does not handle the signal itself: what runs in it does
            if in_loop:
                loop = asyncio.new_event_loop()
                try:
                    loop.run_until_complete(cell())
                finally:
                    loop.close()
            else:
                made.predict([picture()])

        timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        start = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            ask()
        timer.cancel()
        assert time.monotonic() - start < 4
