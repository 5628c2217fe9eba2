"""Drawings say what the figures say."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest

from tests.evaluate.full_report import field, full_report
from vlmkit.calibration.error import Bin, risk_coverage
from vlmkit.evaluate.figures import FieldTable, ThresholdCurve
from vlmkit.evaluate.page.canvas import SERIES, WIDTH, Sheet, fitted, style
from vlmkit.evaluate.page.curves import operating_points, reliability_plot, risk_plot, threshold_points
from vlmkit.evaluate.page.matrix import MOST, folded, matrix_plot
from vlmkit.evaluate.page.rows import Row, rows_plot
from vlmkit.evaluate.page.sections import sections
from vlmkit.evaluate.page.strips import colours_of, strip_plot
from vlmkit.evaluate.page.tables import abstain_table
from vlmkit.evaluate.page.titles import titles
from vlmkit.task import Span


def words(svg: str) -> list[str]:
    """The texts of a drawing, which is well-formed XML."""
    root = ElementTree.fromstring(svg.replace("xlink:href", "href"))
    return [text for node in root.iter() if node.tag.endswith("text") for text in [node.text or ""]]


def test_rows_hold_name_value_interval_and_note() -> None:
    svg = rows_plot([Row("OCA", 0.5, (0.25, 0.75), "n 9", {"constant": 0.1})], "t")
    assert {"OCA", "0.500 (0.25–0.75)", "n 9", "this head", "constant"} <= set(words(svg))
    assert 'aria-label="t: OCA 0.500 (0.25–0.75), constant 0.100"' in svg


def test_a_dot_lies_where_its_value_is() -> None:
    def dot(value: float) -> float:
        found = re.findall(r'<use [^>]*x="([\d.]+)"', rows_plot([Row("a", value)], "t"))
        return float(found[-1])

    assert dot(0.0) == pytest.approx(8)
    assert dot(1.0) == pytest.approx(WIDTH - 8)
    assert dot(0.5) == pytest.approx(WIDTH / 2)


def test_what_is_undefined_is_not_drawn() -> None:
    nan = float("nan")
    svg = rows_plot([Row("a", nan, (nan, nan), beside={"b": nan, "c": None})], "t")
    assert "–" in words(svg)
    assert "nan" not in svg


def test_rare_classes_are_put_together_and_no_sample_is_lost() -> None:
    table = field("f", tuple(f"c{i}" for i in range(20)))
    classes, counts = folded(table)
    assert len(classes) == len(counts) == MOST
    assert classes[-1] == "7 others"
    assert {len(line) for line in counts} == {MOST + 1}
    assert sum(map(sum, counts)) == sum(map(sum, table.confusion))
    assert sum(line[-1] for line in counts) == sum(line[-1] for line in table.confusion)


def test_a_matrix_shows_every_count_and_who_did_not_answer() -> None:
    table = FieldTable("f", ("yes", "no"), ((17, 2, 1), (0, 5, 0)), ())
    found = words(matrix_plot(table))
    assert {"17", "2", "1", "5", "85%", "no answer", "yes", "no"} <= set(found)
    assert "0" not in found


def test_reliability_counts_every_answer() -> None:
    bins = (Bin(0.0, 0.5, 3, 0.4, 0.0), Bin(0.5, 1.0, 1500, 0.9, 0.8), Bin(1.0, 1.0, 0, None, None))
    svg = reliability_plot(bins, "reply", 0.123, before=True)
    assert {"3", "1.5k"} <= set(words(svg))
    assert "ECE 0.123 over 1503 answers" in svg


def test_abstaining_below_a_threshold_keeps_the_share_that_is_told() -> None:
    confidences = [0.9, 0.8, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1]
    right = [True] * 6 + [False] * 4
    points = {wanted: rest for wanted, *rest in operating_points(risk_coverage(confidences, right))}
    assert points[1.0] == [1.0, 0.1, 0.4]
    assert points[0.5] == [0.5, 0.6, 0.0]
    for share, threshold, wrong in points.values():
        kept = [hit for p, hit in zip(confidences, right, strict=True) if p >= threshold]
        assert len(kept) / len(right) == pytest.approx(share)
        assert kept.count(False) / len(kept) == pytest.approx(wrong)


def test_a_head_that_is_always_right_has_a_curve_too() -> None:
    svg = risk_plot("reply", risk_coverage([0.9, 0.8], [True, True]))
    assert "AURC 0.000" in svg


def test_a_curve_of_many_points_is_drawn_small_and_to_its_end() -> None:
    n = 20_000
    curve = risk_coverage([1 - i / n for i in range(n)], [i % 3 > 0 for i in range(n)])
    svg = risk_plot("reply", curve)
    assert len(svg) < 60_000
    (line,) = [path for path in re.findall(r'<path d="([^"]*)"', svg) if len(path) > 1000]
    last_x = float(line.split("L")[-1].split()[0])
    assert last_x == pytest.approx(WIDTH - 12, abs=0.5)


def test_thresholds_between_points_take_the_next_one() -> None:
    curve = ThresholdCurve("x", 0.35, (0.2, 0.4, 0.9), (0.1, 0.2, 0.3), (0.4, 0.5, 0.6), (0.7, 0.8, 0.9))
    found = {threshold: rest for threshold, *rest in threshold_points(curve)}
    assert found[0.35] == [0.2, 0.5, 0.8]
    assert found[0.2] == [0.1, 0.4, 0.7]
    assert 0.9 in found


def test_strips_share_colours_and_seconds() -> None:
    colours = colours_of(["a", "b", *(f"c{i}" for i in range(10))])
    assert colours["a"] != colours["b"]
    assert set(colours.values()) == set(SERIES)
    svg = strip_plot([Span(0, 2.5, "a")], None, 5.0, colours, "clip")
    assert {"0 s", "5 s", "a", "truth", "answer", "no answer"} <= set(words(svg))
    assert "truth a 0–2.5 s; no answer" in svg
    assert {"00:00", "40:00"} <= set(words(strip_plot([], [], 2700, colours, "match")))


def test_overlapping_spans_are_all_drawn() -> None:
    spans = [Span(0, 5, "a")] * 9
    assert strip_plot(spans, spans, 5, {"a": SERIES[0]}, "x").count("var(--s1") == 18


def test_users_own_settings_of_matplotlib_are_left_alone_and_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = rows_plot([Row("a", 0.5)], "t")
    with matplotlib.rc_context({"font.size": 40, "svg.fonttype": "path", "lines.linewidth": 9}):
        assert rows_plot([Row("a", 0.5)], "t") == plain
        assert matplotlib.rcParams["font.size"] == 40


def test_words_are_cut_with_an_ellipsis() -> None:
    assert fitted("short", 200) == "short"
    assert fitted("a" * 99, 60).endswith("…")
    assert len(fitted("a" * 99, 60)) < 12


def test_a_users_words_are_left_as_they_are() -> None:
    told = 'a id="axes_1" font-family: x; #0a0b11 $\\alpha$ <b>'
    with style():
        sheet = Sheet(20)
        sheet.text(0, 10, told)
        assert words(sheet.svg("t")) == [told]


def test_fields_are_called_by_their_last_name_where_one_has_it() -> None:
    report = full_report()
    assert titles(report)["part.other"] == "other"
    assert titles(report)["part.label"] == "part.label"  # the label has that name


def test_a_section_without_figures_is_left_out() -> None:
    keys = [section.key for section in sections(full_report())]
    assert keys == [
        "figures",
        "classes",
        "confusions",
        "reliability",
        "thresholds",
        "risk",
        "slices",
        "comparisons",
        "robustness",
    ]


def test_what_to_abstain_below_keeps_the_answers_that_it_promises() -> None:
    """Rounded to three digits, .99986 is 1.000, and withholds everything."""
    confidences = [0.99996, 0.99986, 0.99985, 0.99975, 0.29, 0.29]
    curve = risk_coverage(confidences, [True] * 4 + [False] * 2)
    for _, share, threshold, _ in operating_points(curve):
        assert np.mean(np.array(confidences) >= threshold) == share
    rows = {row[2]: row[1] for row in abstain_table([("reply", curve)]).rows}
    assert rows == {"100.0%": "0.29", "50.0%": "0.9998"}


def test_a_bar_at_the_edge_has_its_name_before_it() -> None:
    """Also where it is not the first: the goal leaves room between itself and the card."""
    colours = colours_of(["Goal", "Yellow Card"])
    spans = [Span(0, 4, "Goal"), Span(29.5, 30, "Yellow Card")]
    assert {"Goal", "Yellow Card"} <= set(words(strip_plot(spans, spans, 30, colours, "clip")))
    close = [Span(0, 29.5, "Goal"), Span(29.5, 30, "Yellow Card")]
    assert "Yellow Card" not in words(strip_plot(close, close, 30, colours, "clip"))
