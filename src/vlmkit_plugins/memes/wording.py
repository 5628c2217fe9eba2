"""The one text that a model is given about a meme, in training and in serving alike.

`[OCR] words of the meme [/OCR] [CAP] caption [/CAP] <lang=en>`; what is not known is left out. `Sample.text` holds the
plain words; the text encoder calls `read` on the sample, so that no path can give it anything else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vlmkit.errors import DataError
from vlmkit.types import Problem, Sample
from vlmkit_plugins.memes.letters import homoglyphs, visible

CHARACTERS = 2000
"""The most of the words, and of the caption, that is given on: far above what a meme holds, or 256 tokens."""
MARKERS = ("[OCR]", "[/OCR]", "[CAP]", "[/CAP]")
SPEC: Mapping[str, Any] = {"template": "[OCR] [/OCR] [CAP] [/CAP] <lang=>", "characters": CHARACTERS, "letters": 1}
"""What a checkpoint keeps of this, to notice when it has changed; `letters` counts versions of how letters are read."""

_NAMED = 3  # words that a problem spells out
# Ours, and the special tokens of the tokenizers in use, which read them out of any text.
_MARKER = re.compile(
    r"\[\s*(/?\s*(?:OCR|CAP|CLS|SEP|MASK|PAD|UNK|BOS|EOS))\s*\]"
    r"|<\s*(/?\s*(?:s|pad|unk|mask|cls|sep|bos|eos|lang\s*=[^<>]{0,32}|\|[^<>|]{0,32}\|))\s*>",
    re.IGNORECASE,
)
_COMBINED = re.compile(
    r"(?:\[OCR\] (?P<ocr>.*?) \[/OCR\] ?)?(?:\[CAP\] (?P<cap>.*?) \[/CAP\] ?)?(?:<lang=(?P<lang>[^<>]{1,32})>)?",
    re.DOTALL,
)
_LANG = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")


@dataclass(frozen=True)
class Reading:
    """The combined text of a sample, and what was changed or noticed on the way (`Problem`, none fatal)."""

    text: str
    problems: tuple[Problem, ...] = ()


def reading(sample: Sample) -> str:
    """The combined text of a sample; empty where it has no words. Raises `DataError` as `read` does."""
    return read(sample).text


def read(sample: Sample) -> Reading:
    """The combined text of a sample: of its text, and of `meta["caption"]` and `meta["lang"]` where they are known.

    Problems: `text_repaired`, `invisible`, `homoglyphs`, `markers`, `text_cut`; all are about `text`. Raises
    `DataError` for a caption that is no text, or a language that is no code.
    """
    try:
        caption, lang = told(sample.meta)
    except DataError as error:
        raise DataError(f"{sample.id}: {error}") from None
    return _read(sample.text, caption, lang)


def told(meta: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """The caption and the language that a sample's meta tells. Raises `DataError` for what is neither."""
    caption, lang = meta.get("caption"), meta.get("lang")
    for name, given in (("caption", caption), ("lang", lang)):
        if not isinstance(given, str | None):
            raise DataError(f"meta.{name}: wanted a string; given {type(given).__name__}")
    if lang and not _LANG.fullmatch(lang):
        raise DataError(f"meta.lang: wanted a code such as 'en' or 'pt-BR'; given {lang[:80]!r}")
    return caption, lang


def combined(ocr: str | None, caption: str | None = None, lang: str | None = None) -> str:
    """`[OCR] ocr [/OCR] [CAP] caption [/CAP] <lang=lang>`, without the parts that are empty; all blank gives nothing.

    A caption that says what the words say, but for case, blanks and punctuation, is left out.
    Letters are read as `letters.visible` says. What looks like a marker in the words themselves gets round brackets:
    `[/OCR]` becomes `(/OCR)`. Raises `DataError` for a language that is no code such as `en` or `pt-BR`.
    """
    if lang and not _LANG.fullmatch(lang):
        raise DataError(f"lang: wanted a code such as 'en' or 'pt-BR'; given {lang[:80]!r}")
    return _read(ocr, caption, lang).text


def parts(text: str) -> tuple[str, str | None, str | None] | None:
    """The words, caption and language of a text that was combined before; None for any other text."""
    match = _COMBINED.fullmatch(text.strip())
    return (match["ocr"] or "", match["cap"], match["lang"]) if match and (match["ocr"] or match["cap"]) else None


def _read(ocr: str | None, caption: str | None, lang: str | None) -> Reading:
    words, problems = _part(ocr or "", "text")
    beside, more = _part(caption or "", "caption")
    if _bare(beside) == _bare(words):
        beside, more = "", []  # said once is enough
    found = [f"[OCR] {words} [/OCR]"] * bool(words) + [f"[CAP] {beside} [/CAP]"] * bool(beside)
    if found and lang:  # a language alone says nothing about a meme
        found.append(f"<lang={lang}>")
    return Reading(" ".join(found), (*problems, *more))


def _part(text: str, what: str) -> tuple[str, list[Problem]]:
    whole = text.encode("utf-8", "replace").decode()  # half a surrogate pair is no text to any tokenizer
    seen, hidden, turned = visible(whole)
    problems = []
    if whole != text:
        problems.append(("text_repaired", f"the {what} holds halves of characters; each was read as a question mark"))
    if hidden:
        order = "; some turned around the order in which letters are shown" if turned else ""
        problems.append(("invisible", f"{hidden} invisible characters of the {what} were taken out{order}"))
    if len(seen) > CHARACTERS:
        problems.append(("text_cut", f"the {what} has {len(seen)} characters; the first {CHARACTERS} were read"))
        seen = seen[:CHARACTERS].rpartition(" ")[0] or seen[:CHARACTERS]
    words = _unmarked(seen)
    if words != seen:
        problems.append(("markers", f"the {what} holds marks like the reader's own; they got round brackets"))
    if mixed := list(dict.fromkeys(homoglyphs(words))):
        named = ", ".join(word[:24] for word in mixed[:_NAMED]) + (" …" if len(mixed) > _NAMED else "")
        problems.append(("homoglyphs", f"words of the {what} mix scripts that look alike: {named}"))
    return words, [Problem(code, message, "text") for code, message in problems]


def _unmarked(text: str) -> str:
    while (plain := _MARKER.sub(lambda match: f"({match.group(1) or match.group(2)})", text)) != text:
        text = plain  # again: one may stand inside another
    return text


def _bare(text: str) -> str:
    return "".join(letter for letter in text.casefold() if letter.isalnum()) or text
