"""Where plots are drawn: a sheet in pixels, and its SVG with colours that the page decides.

A sheet is `WIDTH` wide, which is what a phone shows; wide screens put several side by side. Colours are drawn as
placeholders and become CSS variables, so that one drawing serves light, dark and paper.
"""

from __future__ import annotations

import html
import io
import re
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from vlmkit.errors import MissingExtraError
from vlmkit.markup import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH = 360
"""Pixels of a sheet before the page scales it."""
LETTER = 0.56
"""Mean width of a letter, in sizes of the font; the fonts of pages are narrower than matplotlib's own."""

INK, PALE, LINE, TRACK, ON = "#0a0b01", "#0a0b02", "#0a0b03", "#0a0b04", "#0a0b05"
"""Words, lesser words, rules, empty bars, and words on a full colour."""
HEAD, SECOND, THIRD = "#0a0b11", "#0a0b12", "#0a0b13"
"""The first three colours of series; the head's own is the first."""
SERIES = (HEAD, SECOND, THIRD, "#0a0b14", "#0a0b15", "#0a0b16", "#0a0b17", "#0a0b18")
"""Told apart by those who see fewer colours too: after Okabe & Ito 2008, with lightness of their own."""

# The fallbacks are for notebooks, which do not have the page's variables: they read on white and on near-black.
_VARIABLES = {
    INK: "var(--ink,currentColor)",
    PALE: "var(--pale,#808a95)",
    LINE: "var(--line,#8886)",
    TRACK: "var(--track,#8883)",
    ON: "var(--on,#fff)",
    SERIES[0]: "var(--s1,#2f8fd0)",
    SERIES[1]: "var(--s2,#e0733a)",
    SERIES[2]: "var(--s3,#1fa67e)",
    SERIES[3]: "var(--s4,#cc79a7)",
    SERIES[4]: "var(--s5,#d69a1e)",
    SERIES[5]: "var(--s6,#74bde6)",
    SERIES[6]: "var(--s7,#8f83dd)",
    SERIES[7]: "var(--s8,#9c8a55)",
}
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # letters stay letters: to be searched, copied and read aloud
    "svg.hashsalt": "vlmkit",
    "text.parse_math": False,  # a label may hold dollars
    "path.simplify": False,
    "font.size": 11,
    "lines.solid_capstyle": "round",
}
_UNSAID = {"Date": None, "Creator": None, "Format": None, "Type": None}


class Sheet:
    """A drawing in pixels, y downwards; made and drawn inside `style`."""

    def __init__(self, height: float, width: float = WIDTH) -> None:
        from matplotlib.figure import Figure

        self.width, self.height = width, height
        self.figure = Figure(figsize=(width / 72, height / 72), dpi=72)
        self._axes = self.figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
        self._axes.axis("off")

    def text(self, x: float, y: float, words: str, **style_: Any) -> None:
        """Words in one line; `y` is their baseline."""
        told = plain(words).replace("\n", " ").replace("\t", " ")
        self._axes.text(x, y, told, **{"color": INK, "va": "baseline", "rotation_mode": "anchor"} | style_)

    def box(self, x: float, y: float, width: float, height: float, colour: str, alpha: float = 1.0) -> None:
        """A filled rectangle."""
        from matplotlib.patches import Rectangle

        self._axes.add_patch(Rectangle((x, y), width, height, facecolor=colour, alpha=alpha, linewidth=0))

    def line(self, x: tuple[float, ...], y: tuple[float, ...], colour: str = LINE, **style_: Any) -> None:
        """A line through points."""
        self._axes.plot(x, y, **cast("dict[str, Any]", {"color": colour, "linewidth": 1, **style_}))

    def mark(self, x: float, y: float, marker: str, colour: str, *, full: bool = False, size: float = 7) -> None:
        """A small sign; `full` is filled."""
        face = colour if full else "none"
        looks: dict[str, Any] = {"color": colour, "markerfacecolor": face, "markeredgewidth": 1.6, "markersize": size}
        self._axes.plot([x], [y], marker, **looks)

    def panel(self, x: float, y: float, width: float, height: float) -> Axes:
        """Axes with scales of their own at this place of the sheet, ruled lightly."""
        sides = (x / self.width, 1 - (y + height) / self.height, width / self.width, height / self.height)
        axes = self.figure.add_axes(sides, facecolor="none")
        axes.tick_params(length=0, pad=4, labelsize=10, labelcolor=PALE)
        axes.grid(color=LINE, linewidth=0.8)
        axes.set_axisbelow(True)
        for spine in axes.spines.values():
            spine.set_visible(False)
        return axes

    def svg(self, title: str) -> str:
        """The drawing as an element of a page. `title` says what it shows, to those who do not see it."""
        file = io.StringIO()
        self.figure.savefig(file, format="svg", transparent=True, metadata=_UNSAID)
        told = html.escape(plain(title), quote=True)
        size = f'viewBox="0 0 {self.width:g} {self.height:g}"'
        inside = _cleaned(file.getvalue(), told)
        return f'<svg class="plot" role="img" aria-label="{told}" {size}><title>{told}</title>{inside}</svg>'


@contextmanager
def style() -> Iterator[None]:
    """How everything is drawn, whatever the user's own settings of matplotlib are; around whatever makes a sheet.

    Raises `MissingExtraError` without matplotlib.
    """
    try:
        import matplotlib
    except ImportError as error:
        raise MissingExtraError("matplotlib", "report") from error

    with matplotlib.rc_context(), warnings.catch_warnings():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # the page's fonts have it
        yield


def fitted(words: str, width_px: float, size: float = 11) -> str:
    """Words cut to about this width, with an ellipsis where something is left out."""
    most = max(1, int(width_px / (LETTER * size)))
    return words if len(words) <= most else words[: max(1, most - 1)].rstrip() + "…"


def width_of(words: str, size: float = 11) -> float:
    """About how many pixels words are wide."""
    return LETTER * size * len(words)


def _cleaned(svg: str, title: str) -> str:
    """What stands inside the `svg` element, without what would reach the rest of the page."""
    inside = svg[svg.index(">", svg.index("<svg")) + 1 : svg.rindex("</svg>")]
    inside = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", inside, flags=re.DOTALL)  # its rules are global
    own = f"v{zlib.crc32((title + inside).encode()):08x}"  # ids are a page's, and drawings are many
    inside = re.sub(r"<[^>]+>", lambda tag: _tag(tag.group(), own), inside)
    return re.sub(r"<defs>\s*</defs>", "", inside)


def _tag(tag: str, own: str) -> str:
    """One tag with the page's colours and fonts; words between tags are the user's, and stay as they are."""
    tag = re.sub(r' id="[A-Za-z0-9.]+_\d+"| transform="rotate\(-?0 [^"]*"', "", tag)
    tag = re.sub(r" font-family: [^;\"]*;?", "", tag)
    tag = re.sub(r'( id="| xlink:href="#|url\(#)', rf"\g<1>{own}", tag)
    for placeholder, variable in _VARIABLES.items():
        tag = tag.replace(placeholder, variable)
    return re.sub(r"\s*\n\s*", " ", tag)
