"""A prompt and its opened media as chat messages, without any loss: pictures travel as PNG."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from vlmkit.errors import WiringError
from vlmkit.media.clock import metadata
from vlmkit.media.image import Picture
from vlmkit.media.spec import VideoSpec
from vlmkit.media.video import Frames
from vlmkit.types import Inputs, Modality, Prompt, Slot

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Form = Literal["pngs", "mp4", "frames"]
"""How a film is sent: PNGs in one part with times beside (vLLM), one H.264 file that the server samples, or one
picture a frame with its time as text before it."""

TAKEN: frozenset[Modality] = frozenset({"image", "video"})

# What ends a turn or opens a slot in the chat formats of Qwen, Llama, Gemma, Mistral and LLaVA. The server's tokenizer
# is not at hand, so that this is wider than `llms.chat.plain`, and cuts the same tokens in the same way.
_SPECIAL = re.compile(
    r"<\|[^<>|\s]{1,64}\|>|</?s>|<(?:start|end)_of_turn>|\[/?INST\]|<</?SYS>>"
    r"|</?(?:think|tool_call|tool_response|image|video|audio)>"
)


@dataclass(frozen=True)
class Question:
    """Chat messages, and what has to be said of their media beside them.

    Attributes:
        media_io: vLLM's `media_io_kwargs`: when each frame is shown.
        pixels: whether there are any pictures or films.
    """

    messages: tuple[Mapping[str, Any], ...]
    media_io: Mapping[str, Any] | None = None
    pixels: bool = False


def check(prompts: Sequence[Prompt], opened: Sequence[Inputs]) -> None:
    """Raises `WiringError` where slots and media do not match, as the local engine does."""
    for index, (prompt, media) in enumerate(zip(prompts, opened, strict=True)):
        slots = [part.modality for message in prompt.messages for part in message.parts if isinstance(part, Slot)]
        given = sorted(TAKEN & set(media))
        if sorted(slots) != given:
            has = ", ".join(slots) or "nothing"
            raise WiringError(f"prompt {index} has slots for {has}; its media are {', '.join(given) or 'none'}")


def ask(prompt: Prompt, media: Inputs, form: Form, video: VideoSpec) -> Question:
    """The question as it is sent; `video` is the spec that the film was opened with."""
    messages = []
    for message in prompt.messages:
        parts: list[dict[str, Any]] = []
        for part in message.parts:
            parts.extend([_words(plain(part))] if isinstance(part, str) else _medium(part.modality, media, form, video))
        texts = [part["text"] for part in parts if part["type"] == "text"]
        # Some servers take the words of a turn without media as one string only.
        content: Any = "".join(texts) if len(texts) == len(parts) else parts
        messages.append({"role": message.role, "content": content})
    frames = media.get("video")
    media_io = None
    if isinstance(frames, Frames) and form == "pngs":
        media_io = {"video": {"num_frames": -1, **metadata(frames, video)}}
    return Question(tuple(messages), media_io, pixels=bool(TAKEN & set(media)))


def plain(text: str) -> str:
    """Text that cannot end a turn or open a slot: what looks like a special token gets a zero-width space inside."""
    return _SPECIAL.sub(lambda found: f"{found[0][0]}\u200b{found[0][1:]}", text)


def _medium(modality: Modality, media: Inputs, form: Form, video: VideoSpec) -> list[dict[str, Any]]:
    medium = media[modality]
    if isinstance(medium, Picture):
        return [_picture(medium.image)]
    if not isinstance(medium, Frames):
        raise WiringError(f"a server takes pictures and films; given {type(medium).__name__} for {modality}")
    if form == "pngs":
        # vLLM splits this at the commas and opens each part by its own header, whatever the type in front says.
        return [_url("video_url", "video/jpeg", ",".join(_png(image) for image in medium.images))]
    if form == "mp4":
        return [_url("video_url", "video/mp4", base64.b64encode(_mp4(medium, video)).decode())]
    parts = []
    for image, time_s in zip(medium.images, medium.times_s, strict=True):
        parts += [_words(f"{time_s:.2f} s: "), _picture(image)]
    return parts


def _words(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _picture(image: NDArray[np.uint8]) -> dict[str, Any]:
    return _url("image_url", "image/png", _png(image))


def _url(kind: str, media_type: str, encoded: str) -> dict[str, Any]:
    return {"type": kind, kind: {"url": f"data:{media_type};base64,{encoded}"}}


def _png(image: NDArray[np.uint8]) -> str:
    from PIL import Image as Pillow

    file = io.BytesIO()
    Pillow.fromarray(image).save(file, "PNG", compress_level=1)
    return base64.b64encode(file.getvalue()).decode()


def _mp4(frames: Frames, video: VideoSpec) -> bytes:
    """The picked frames as a film of their own, each shown when it is; nearly lossless, as colours are halved."""
    import av

    from vlmkit.media.clock import TICKS, spacing_s, ticks

    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", options={"crf": "8", "preset": "veryfast"})
        height, width = frames.images.shape[1:3]
        stream.width, stream.height = width + width % 2, height + height % 2
        stream.pix_fmt = "yuv420p"
        stream.time_base = _base(TICKS)
        step = round(spacing_s(frames, video) * TICKS)
        for image, tick in zip(frames.images, ticks(frames), strict=True):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base, frame.duration = tick, _base(TICKS), step
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def _base(ticks: int) -> Any:
    from fractions import Fraction

    return Fraction(1, ticks)
