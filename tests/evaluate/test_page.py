"""`report.html`: everything is in it, nothing of the user's becomes HTML, nothing is fetched."""

from __future__ import annotations

import builtins
import json
import re
import sys
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.evaluate.full_report import EVIL, full_report
from tests.evaluate.sure import answered, messages, task
from vlmkit.errors import MissingExtraError
from vlmkit.evaluate import Report, evaluate
from vlmkit.evaluate.page import notebook, render
from vlmkit.evaluate.page.definitions import definitions

VOID = {"meta", "link", "img", "br", "path", "use", "polygon", "input"}


class Page(HTMLParser):
    """Tags with their attributes, the text of tables, and whether every tag is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += f"{data} "

    def with_tag(self, name: str) -> list[dict[str, str | None]]:
        """The attributes of every such tag."""
        return [attributes for tag, attributes in self.tags if tag == name]


@pytest.fixture(scope="module")
def text() -> str:
    """The page of a report that holds one of everything."""
    return render(full_report())


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    """The same, read; every tag of it is closed."""
    found = Page(text)
    assert found.open == []
    return found


def test_nothing_of_the_users_becomes_a_tag(page: Page) -> None:
    assert len(page.with_tag("script")) == 1
    assert page.text.count(EVIL) >= 30
    quoted = [value for _, attributes in page.tags for value in attributes.values() if value and EVIL in value]
    assert quoted  # in the names of drawings, where the quotes of an attribute could be left


def test_the_page_asks_nobody_for_anything(page: Page, text: str) -> None:
    sources = [str(attributes[name]) for _, attributes in page.tags for name in ("src", "href") if name in attributes]
    assert sources
    assert all(source.startswith(("data:", "#")) for source in sources)
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)
    (policy,) = [one["content"] for one in page.with_tag("meta") if one.get("http-equiv")]
    assert str(policy).startswith("default-src 'none';")


def test_every_section_is_there_with_its_drawings(page: Page) -> None:
    keys = [str(one["id"]) for one in page.with_tag("section")]
    wanted = ["checks", "figures", "classes", "confusions", "reliability", "thresholds", "risk", "slices"]
    assert keys == [*wanted, "comparisons", "robustness", "films", "errors", "meaning"]
    drawings = [one for one in page.with_tag("svg") if one["class"] == "plot"]
    assert len(drawings) >= len(wanted)
    assert all(one["role"] == "img" and one["aria-label"] for one in drawings)
    assert {str(one["href"]) for one in page.with_tag("a")} <= {f"#{key}" for key in keys}


def test_figures_stand_in_words_beside_their_drawing(page: Page) -> None:
    labels = " ".join(str(one["aria-label"]) for one in page.with_tag("svg"))
    assert "OCA 0.700 (0.61–0.78), constant 0.200, chance 0.100, text_expert 0.500" in labels
    assert "No shares from 0 to 1, and so in the table only: log_loss." in page.text
    assert "log_loss ↓" in page.text
    assert "the operation is the true one." in page.text  # the task's own definition
    assert "not in here" not in page.text


def test_drawings_take_their_colours_from_the_page(text: str) -> None:
    assert "#0a0b" not in text
    assert "var(--s1" in text
    assert "DejaVu" not in "".join(re.findall(r"<svg.*?</svg>", text, re.DOTALL))
    for name in re.findall(r"var\((--\w+)", text):
        assert f"{name}: light-dark(" in text


def test_ids_are_told_apart(page: Page, text: str) -> None:
    ids = Counter(str(attributes["id"]) for _, attributes in page.tags if "id" in attributes)
    assert {name: n for name, n in ids.items() if n > 1 and not name.endswith("halo")} == {}
    for name in re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', text):
        assert "".join(name) in ids


def test_long_text_is_cut_and_strange_letters_can_be_written(page: Page, text: str) -> None:
    assert "(100,000 characters)" in page.text
    assert "␀\\udcff" in page.text
    assert "黄色" in page.text
    assert "$c$" in page.text
    text.encode()


def test_the_gallery_is_limited_and_says_so(page: Page) -> None:
    assert len(page.with_tag("article")) == 12
    assert "12 of 20 samples" in page.text
    assert "errors.csv has all" in page.text
    assert "missing: " in page.text  # the picture that is not there


def test_the_page_stays_small_and_fast_to_read_aloud(text: str) -> None:
    assert len(text.encode()) < 3_000_000


def test_an_empty_report_is_a_page_too() -> None:
    found = Page(render(Report("t", 1, {}, {}, {})))
    assert found.open == []
    assert [one["id"] for one in found.with_tag("section")] == ["figures", "errors", "meaning"]
    assert "None: every sample has an answer" in found.text


def test_undefined_figures_are_dashes() -> None:
    nan = float("nan")
    report = replace(full_report(), metrics={"never": nan}, intervals={"never": (nan, nan)}, cases=(), fields=())
    assert "nan" not in Page(render(report)).text.lower()


def test_two_renderings_differ_in_the_minute_alone(text: str) -> None:
    minute = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC")
    assert minute.sub("", render(full_report())) == minute.sub("", text)


def test_a_notebook_gets_the_headline_and_the_tables() -> None:
    found = Page(full_report()._repr_html_())
    assert found.open == []
    assert "script" not in {tag for tag, _ in found.tags}
    assert len(found.with_tag("svg")) == 1
    assert "0.700" in found.text
    assert "currentColor" in full_report()._repr_html_()  # nobody defines the page's colours there


@pytest.mark.parametrize("package", ["jinja2", "matplotlib"])
def test_without_the_extra_the_other_files_are_written_and_one_warning_says_what_to_type(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _hide(package, monkeypatch)
    with pytest.raises(MissingExtraError, match=r"pip install 'vlmkit\[report\]'"):
        render(full_report())
    folder = full_report().save(tmp_path)
    assert {path.name for path in folder.iterdir()} == {"metrics.json", "predictions.jsonl", "errors.csv"}
    (said,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "pip install 'vlmkit[report]'" in said
    assert "report.html" in said
    assert said in json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["warnings"]


def test_without_matplotlib_a_notebook_gets_the_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    _hide("matplotlib", monkeypatch)
    found = Page(notebook(full_report()))
    assert found.with_tag("svg") == []
    assert "0.700" in found.text


def _hide(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the package were not installed."""
    real = builtins.__import__

    def refuse(name: str, *rest: Any, **more: Any) -> Any:
        if name.split(".", maxsplit=1)[0] == package:
            raise ImportError(f"No module named {package!r}")
        return real(name, *rest, **more)

    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", refuse)


def test_figures_of_probabilities_are_told() -> None:
    samples = messages(60)
    told = dict(definitions(evaluate(task(), samples, answered(samples))))
    assert {"ECE", "Brier", "AUROC", "PR-AUC", "log loss", "BPSN, BNSP AUC"} <= told.keys()
    assert "AUROC" not in dict(definitions(full_report()))
