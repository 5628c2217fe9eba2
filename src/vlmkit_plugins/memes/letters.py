"""Text as people see it: one form for what looks the same and means the same, nothing invisible, look-alikes named."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

_SAME_MEANING = {
    "<font>", "<wide>", "<narrow>", "<small>", "<initial>", "<medial>", "<final>",
    "<isolated>", "<vertical>", "<circle>", "<square>", "<compat>",
}  # fmt: skip
# Unicode's kinds of compatibility mapping that change only the looks: not superscripts and fractions, which are figures
_BLANKS = frozenset("\u2800\u3164\uffa0\u115f\u1160")  # drawn as nothing, though no space by their category
_JOINERS = frozenset("\u200c\u200d")
_JOINING = {
    "ARABIC", "SYRIAC", "MONGOLIAN", "DEVANAGARI", "BENGALI", "GURMUKHI", "GUJARATI", "ORIYA",
    "TAMIL", "TELUGU", "KANNADA", "MALAYALAM", "SINHALA", "KHMER", "MYANMAR", "TIBETAN",
}  # scripts in which a joiner between two letters changes how they read  # fmt: skip
_LOOK_ALIKE = {"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC"}
_EMOJI_STYLE = "\ufe0f"
_FLAG = "\U0001f3f4"  # tag characters after it name a country
_TURNED = frozenset("\u202d\u202e")  # they show the letters after them in another order
_WORD = re.compile(r"[^\W\d_]+")


def visible(text: str) -> tuple[str, int, bool]:
    """The text in one form; how many invisible characters were taken out; whether one of them turned its order around.

    Letters that differ only in looks (ligatures, full width, mathematical and circled alphabets: Unicode's
    compatibility mappings, UAX 15) become plain ones; figures such as ² and ½, and emoji, stay. Controls that nobody
    sees are taken out, but for joiners inside emoji and between letters of scripts that need them. Runs of blanks
    become one space. Order is the order of writing, from right to left too.
    """
    if text.isascii():
        kept = "".join(letter for letter in text if letter.isprintable() or letter.isspace())
        return " ".join(kept.split()), len(text) - len(kept), False
    text = unicodedata.normalize("NFC", text)
    kept = "".join(letter for k, letter in enumerate(text) if not _hidden(text, k))
    plain = "".join(letter if kept[k + 1 : k + 2] == _EMOJI_STYLE else _plain(letter) for k, letter in enumerate(kept))
    return " ".join(unicodedata.normalize("NFC", plain).split()), len(text) - len(kept), bool(_TURNED & set(text))


def homoglyphs(text: str) -> Iterator[str]:
    """The words whose letters are of several scripts that look alike (UTS 39, mixed-script words).

    A word that is wholly of another script is not found: nothing tells it from a word of that script's languages.
    """
    if text.isascii():
        return
    for match in _WORD.finditer(text):
        word = match.group()
        if not word.isascii() and len({_script(letter) for letter in word} & _LOOK_ALIKE) > 1:
            yield word


def _hidden(text: str, k: int) -> bool:
    """Whether the letter at `k` is seen by nobody, and changes how nothing else is seen."""
    letter = text[k]
    if letter.isascii():
        return not (letter.isprintable() or letter.isspace())
    kind = unicodedata.category(letter)
    before = text[k - 1] if k else ""
    if letter in _JOINERS:
        return not _joins(before, text[k + 1 : k + 2])
    if "\U000e0020" <= letter <= "\U000e007f":
        start = text.rfind(_FLAG, max(0, k - 8), k)
        return start < 0 or any(not "\U000e0020" <= one <= "\U000e007f" for one in text[start + 1 : k])
    if "\ufe00" <= letter <= _EMOJI_STYLE:
        return not before or before.isspace() or _script(before) in _LOOK_ALIKE
    return kind == "Cf" or (kind == "Cc" and not letter.isspace())


def _joins(before: str, after: str) -> bool:
    if not before or not after:
        return False
    if unicodedata.category(after) == "So":
        return unicodedata.category(before) in ("So", "Sk") or before == _EMOJI_STYLE
    return _script(before) in _JOINING and (after.isspace() or _script(after) in _JOINING)


@lru_cache(maxsize=4096)
def _plain(letter: str) -> str:
    if letter in _BLANKS:
        return " "
    kind = unicodedata.decomposition(letter).partition(" ")[0]
    if kind not in _SAME_MEANING:
        return letter
    found = unicodedata.normalize("NFKC", letter)
    return (
        found if all(one.isalnum() or "!" <= one <= "~" for one in found) else letter
    )  # an accent of its own would become a blank


@lru_cache(maxsize=4096)
def _script(letter: str) -> str:
    return unicodedata.name(letter, "").partition(" ")[0]
