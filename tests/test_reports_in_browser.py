"""The report of every shipped head, and one that holds one of everything, opened in headless Chromium."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import vlmkit
from tests.evaluate.full_report import EVIL, full_report
from vlmkit.evaluate import checked, evaluate

N = 12
CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    "--disable-dev-shm-usage",
    *("--disable-background-networking", "--disable-component-update", "--hide-scrollbars"),
    *("--enable-logging=stderr", "--v=0", "--window-size=1400,900", "--dump-dom"),
]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here; type: apt-get install chromium")

MEASURE = """
const inside = document.querySelector("iframe").contentDocument, wide = inside.documentElement.clientWidth;
inside.querySelectorAll("details").forEach(one => { one.open = true; });
const drawn = [...inside.querySelectorAll("body *")].filter(one => !one.closest(".scroll"));
const over = drawn.filter(one => {
  const place = one.getBoundingClientRect();
  return place.right > wide + 0.5 || place.left < -0.5;
});
const small = [...inside.querySelectorAll("svg.plot text")].filter(one => {
  const scale = one.closest("svg").getBoundingClientRect().width / 360;
  return parseFloat(getComputedStyle(one).fontSize) * scale < 7.5;
});
const media = [...inside.querySelectorAll("img")];
const button = inside.getElementById("theme"), colours = [];
for (let i = 0; i < 3; i++) {
  const style = inside.defaultView.getComputedStyle(inside.body);
  colours.push([button.textContent, style.backgroundColor, style.color]);
  button.click();
}
document.getElementById("measured").textContent = JSON.stringify({
  width: wide,
  scroll: inside.documentElement.scrollWidth,
  over: over.map(one => `${one.tagName}.${one.getAttribute("class")} ${one.textContent.slice(0, 40)}`),
  small: small.map(one => one.textContent + " " + getComputedStyle(one).fontSize),
  broken: media.filter(one => !one.complete || !one.naturalWidth).length,
  colours: colours,
});
"""


@dataclass(frozen=True)
class Opened:
    """A page as Chromium has it: its DOM, and what it wrote on the console."""

    dom: str
    console: tuple[str, ...]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The report folder of a task's shipped head on a few synthetic samples, with its sanity checks; made once."""

    @cache
    def made(name: str) -> Path:
        if name not in vlmkit.tasks():
            pytest.skip(f"no task {name!r} is installed")
        here = tmp_path_factory.mktemp(name)
        head = vlmkit.load(name, preset="tiny", device="cpu")
        head.task.synth(here / "data", N, 8_128, 1)
        samples = list(head.task.read(here / "data"))
        answers = list(head.predict_many(samples))
        report = evaluate(head.task, samples, answers, model="tiny", data="synthetic")
        known = head.familiar(samples)
        return checked(report, head.task, samples, answers, ask=head.predict_many, known=known).save(here / "report")

    return made


@pytest.fixture(scope="session")
def opened(folder: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Opened]:
    """The same report in Chromium, opened once."""
    return cache(lambda name: _open(folder(name) / "report.html", tmp_path_factory.mktemp("chromium")))


HEADS = ["warehouse", "purrsight", "memes"]


@pytest.mark.parametrize("name", HEADS)
def test_the_report_opens_without_a_word_on_the_console(name: str, opened: Callable[[str], Opened]) -> None:
    found = opened(name)
    assert found.console == ()
    sections = re.findall(r'<section id="(\w+)".*?</section>', found.dom, re.DOTALL)
    assert {"checks", "figures", "classes", "confusions", "reliability", "risk", "errors", "meaning"} <= set(sections)
    for key in set(sections) - {"checks", "errors", "meaning"}:
        (part,) = re.findall(rf'<section id="{key}".*?</section>', found.dom, re.DOTALL)
        assert '<svg class="plot"' in part, key
    assert ("films" in sections) == (name == "warehouse")
    assert re.search(r'<button id="theme"(?![^>]*hidden)[^>]*>Auto</button>', found.dom)  # its script ran


@pytest.mark.parametrize("name", HEADS)
def test_the_headline_is_that_of_metrics_json(
    name: str, folder: Callable[[str], Path], opened: Callable[[str], Opened]
) -> None:
    saved = json.loads((folder(name) / "metrics.json").read_text(encoding="utf-8"))
    assert saved["n"] == N
    (part,) = re.findall(r'<section id="figures".*?</section>', opened(name).dom, re.DOTALL)
    rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>(.*?)</tr>", part, re.DOTALL)]
    told = {_words(row[0]).removesuffix(" ↓"): row[1:] for row in rows[1:]}
    wanted = {name: "–" if value is None else f"{value:.3f}" for name, value in saved["metrics"].items()}
    assert {name: _words(row[0]) for name, row in told.items()} == wanted
    for place, baseline in enumerate(saved["baselines"].values()):
        assert _words(told[next(iter(wanted))][3 + place]) == f"{baseline[next(iter(wanted))]:.3f}"


@pytest.mark.parametrize("width_px", [390, 1400])
@pytest.mark.parametrize("name", HEADS)
def test_nothing_hangs_over_and_nothing_is_too_small(
    name: str, width_px: int, folder: Callable[[str], Path], tmp_path: Path
) -> None:
    _check_measures(_measured(folder(name) / "report.html", width_px, tmp_path), width_px)


@pytest.mark.parametrize("width_px", [360, 1400])
def test_a_page_of_hostile_names_is_no_wider_and_runs_nothing(width_px: int, tmp_path: Path) -> None:
    page = full_report().save(tmp_path / "report") / "report.html"
    _check_measures(_measured(page, width_px, tmp_path), width_px)
    opened = _open(page, tmp_path)
    assert opened.console == ()
    assert EVIL not in opened.dom


def test_the_console_is_heard(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<script>console.error('here'); nowhere();</script>", encoding="utf-8")
    assert len(_open(page, tmp_path).console) == 2


def test_what_hangs_over_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text('<button id="theme"></button><div style="width:700px">x</div><script>1</script>', encoding="utf-8")
    assert _measured(page, 360, tmp_path)["over"]


def _check_measures(found: dict[str, Any], width_px: int) -> None:
    assert found["width"] == width_px
    assert found["over"] == []
    assert found["scroll"] <= width_px
    assert found["small"] == []
    assert found["broken"] == 0
    (auto, *_), light, dark = found["colours"]
    assert (auto, light[0], dark[0]) == ("Auto", "Light", "Dark")
    assert _lightness(light[1]) - _lightness(light[2]) > 180
    assert _lightness(dark[2]) - _lightness(dark[1]) > 180


def _lightness(colour: str) -> float:
    red, green, blue = (int(part) for part in re.findall(r"\d+", colour)[:3])
    return 0.3 * red + 0.6 * green + 0.1 * blue


def _measured(page: Path, width_px: int, tmp_path: Path) -> dict[str, Any]:
    """What a page measures in a frame of this width; no window of Chromium gets as narrow as a phone."""
    text = page.read_text(encoding="utf-8", errors="surrogateescape")
    frame = f'<iframe style="width:{width_px}px;height:800px;border:0" srcdoc="{html.escape(text, quote=True)}">'
    outer = tmp_path / f"frame-{width_px}.html"
    told = f'{frame}</iframe><pre id="measured"></pre><script>window.onload = () => {{{MEASURE}}};</script>'
    outer.write_text(f"<!doctype html><meta charset=utf-8>{told}", encoding="utf-8", errors="surrogateescape")
    opened = _open(outer, tmp_path)
    assert opened.console == ()
    (found,) = re.findall(r'<pre id="measured">(.*?)</pre>', opened.dom, re.DOTALL)
    measured: dict[str, Any] = json.loads(html.unescape(found))
    return measured


def _open(page: Path, tmp_path: Path) -> Opened:
    command = [
        str(CHROMIUM),
        *FLAGS,
        f"--user-data-dir={tmp_path / 'profile'}",
        page.as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, timeout=120, check=True)
    console = [line for line in done.stderr.decode(errors="replace").splitlines() if "CONSOLE" in line]
    return Opened(done.stdout.decode(errors="replace"), tuple(console))


def _words(cell: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", cell)).strip()
