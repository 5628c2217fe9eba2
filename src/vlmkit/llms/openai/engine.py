"""An OpenAI-compatible server as an `Engine`: several requests under way, replies in order, failures by sample."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from vlmkit.llms.grammar import writing
from vlmkit.llms.openai.asking import TAKEN, Form, Question, ask, check
from vlmkit.llms.openai.client import UNREADABLE, Host, client, failed, line, refused, said
from vlmkit.llms.openai.replied import reply_of, without
from vlmkit.llms.openai.running import run
from vlmkit.llms.openai.served import Served, is_other
from vlmkit.llms.openai.ways import BAREST, Way, response_format
from vlmkit.media.spec import VideoSpec
from vlmkit.remote import Server
from vlmkit.types import Constraint, Generation, Inputs, Limits, Modality, Prompt

if TYPE_CHECKING:
    from openai import APIStatusError, AsyncOpenAI

log = logging.getLogger("vlmkit")

FRAMES_WITH_TIMES = (0, 32)
"""The first vLLM that films were sent to as frames with times (`media_io_kwargs` of a request); tested with it."""

_UNFIT = (400, 422)  # statuses of a request that asks for what a server cannot do
_TIMES = "media_io_kwargs"
_TRUST = (
    "; start vLLM with --trust-request-mm-kwargs, without which it does not hear when frames are shown, or send films "
    "frame by frame (server=Server(film='frames'))"
)


class OpenAi:
    """A `vlmkit.protocols.Engine`.

    What a server refuses to do (a schema, probabilities) is found out with the first requests, said once in the log,
    and left out from then on. A request that fails is a problem of its own sample.

    Args:
        server: how it is asked; `host`: who it is; `served`: the model that is meant.
        video: what films are opened with.
    """

    def __init__(self, server: Server, host: Host, served: Served, video: VideoSpec) -> None:
        self.media: frozenset[Modality] = TAKEN
        self.server = server
        self.host = host
        self.served = served
        self.backbone = served.weights()
        self.form: Form = _form(server, host)
        self._video = video
        self._way = Way(pixels=host.is_vllm)
        self._settled = False
        self._signed: set[str] = set()

    @property
    def about(self) -> Mapping[str, Any]:
        """What the provenance of an answer says of it."""
        return {"server": self.host.shown, "served_model": self.served.model, "films_as": self.form}

    def reply(
        self,
        prompts: Sequence[Prompt],
        opened: Sequence[Inputs],
        constraints: Sequence[Constraint | None],
        limits: Limits,
    ) -> list[Generation]:
        """One reply a prompt, in order. Raises `WiringError` where slots and media do not match."""
        check(prompts, opened)
        return run(lambda: self._replies(prompts, opened, constraints, limits))

    async def _replies(
        self,
        prompts: Sequence[Prompt],
        opened: Sequence[Inputs],
        constraints: Sequence[Constraint | None],
        limits: Limits,
    ) -> list[Generation]:
        free = asyncio.Semaphore(self.server.concurrency)
        server = self.server
        async with client(self.host.url, timeout_s=server.timeout_s, retries=server.retries) as open_client:

            async def one(prompt: Prompt, media: Inputs, constraint: Constraint | None) -> Generation:
                async with free:  # around the encoding too: a film takes some megabytes
                    question = await asyncio.to_thread(ask, prompt, media, self.form, self._video)
                    return await self._reply(open_client, question, constraint, limits)

            return await asyncio.gather(*map(one, prompts, opened, constraints))

    async def _reply(
        self, open_client: AsyncOpenAI, question: Question, constraint: Constraint | None, limits: Limits
    ) -> Generation:
        from openai import APIConnectionError, APIStatusError, APITimeoutError, OpenAIError

        way = self._way
        first: APIStatusError | None = None
        while True:
            body = self._body(question, constraint, limits, way)
            try:
                response = await open_client.post("/chat/completions", cast_to=object, body=body)
            except APITimeoutError:
                return without(failed(f"no response within {self.server.timeout_s:g} s, in {self._attempts} attempts"))
            except APIConnectionError as error:
                why = type(error.__cause__ or error).__name__
                return without(failed(f"the connection to the server failed ({why}), in {self._attempts} attempts"))
            except APIStatusError as error:
                first = first or error
                lesser = self._lesser(way, error)
                if lesser is None:
                    return without(refused(first, _TRUST if _TIMES in said(error) else ""))
                way = lesser
            except (OpenAIError, *UNREADABLE):
                return without(failed("the server answered something that is no JSON"))
            else:
                reply = self._own(response)
                if reply.problem is None:
                    self._settle(way)
                return reply

    def _own(self, response: object) -> Generation:
        """The reply in a response that the model signs which was asked; what is signed otherwise is said, or none."""
        reply, asked = reply_of(response), self.served.model
        told = response.get("model") if isinstance(response, Mapping) else None
        if reply.problem is not None or not isinstance(told, str):
            return reply
        if is_other(self.host, asked, told):
            return without(failed(f"{line(repr(asked))} was asked, and the server let {line(repr(told))} answer"))
        if not told.startswith(asked) and told and told not in self._signed:  # "-2024-08-06" may stand behind it
            self._signed.add(told)
            log.warning("%s was asked for %r, and signs as %r", self.host.shown, asked, line(told))
        return reply

    def _lesser(self, way: Way, error: APIStatusError) -> Way | None:
        """What to ask for after a refusal; None where the request itself is at fault."""
        if error.status_code not in _UNFIT:
            return None
        lesser = way.without(said(error))
        if lesser == way and not self._settled:
            lesser = BAREST  # a refusal without a reason: only the bare question tells whether it is about these
        return lesser if lesser != way else None

    def _settle(self, way: Way) -> None:
        """The first way that led to a reply is kept."""
        if self._settled:
            return
        self._settled = True
        self._way = way
        lost = [what for what in way.lost() if self.host.is_vllm or not what.startswith("pictures")]
        if lost:
            log.warning("%s does without %s", self.host.shown, "; and without ".join(lost))

    @property
    def _attempts(self) -> int:
        return self.server.retries + 1

    def _body(self, question: Question, constraint: Constraint | None, limits: Limits, way: Way) -> Mapping[str, Any]:
        context = self.served.context
        body: dict[str, Any] = {
            "model": self.served.model,
            "messages": list(question.messages),
            # vLLM refuses more than it has room for at all, and takes less where the prompt leaves less
            "max_tokens": min(limits.max_new_tokens, context) if context else limits.max_new_tokens,
            "temperature": limits.temperature,
            "top_p": limits.top_p,
        }
        if limits.seed is not None:
            body["seed"] = limits.seed
        if way.logprobs:
            body["logprobs"] = True
        if constraint is not None and way.schema != "none":
            guidance = writing() if self.host.is_vllm else None
            body["response_format"] = response_format(constraint, way, guidance=guidance)
        if self.host.is_vllm:
            # Explicit everywhere: vLLM would take the model's own generation_config (top_k 1, say) for what is absent.
            body |= {
                "top_k": 0,
                "min_p": 0.0,
                "repetition_penalty": limits.repetition_penalty,
                "return_token_ids": True,
            }
            if question.pixels and way.pixels:
                body["mm_processor_kwargs"] = {"do_resize": False, "do_sample_frames": False}
            if question.media_io is not None:
                body["media_io_kwargs"] = question.media_io
        elif limits.repetition_penalty != 1:
            body["repetition_penalty"] = limits.repetition_penalty
        return body


def _form(server: Server, host: Host) -> Form:
    takes_frames = host.is_vllm and host.vllm >= FRAMES_WITH_TIMES
    if server.film == "frames" or (server.film == "auto" and not takes_frames):
        if server.film == "auto" and host.is_vllm:
            log.warning(
                "%s is a vLLM older than %s, or does not tell: films are sent frame by frame, as pictures with times",
                host.shown,
                ".".join(map(str, FRAMES_WITH_TIMES)),
            )
        return "frames"
    return "pngs" if host.is_vllm else "mp4"
