"""A report that holds one of everything, made without a model; whatever a user may have named is hostile."""

from __future__ import annotations

import numpy as np

from vlmkit.calibration.error import ece, reliability_bins, risk_coverage
from vlmkit.evaluate import Report
from vlmkit.evaluate.figures import (
    Case,
    Check,
    Comparison,
    Difference,
    FieldTable,
    Outcome,
    Reliability,
    RobustnessRow,
    SliceRow,
    ThresholdCurve,
)
from vlmkit.evaluate.labels import LabelRow
from vlmkit.task import Span
from vlmkit.types import Clip, Image, Media, Modality, Prediction, Problem, Sample, Sound

EVIL = "<script>alert('x')</script>"
NAN = float("nan")


def field(name: str, classes: tuple[str, ...], n: int = 120) -> FieldTable:
    """A field that is mostly answered right, and sometimes not at all."""
    rng = np.random.default_rng(len(classes))
    k = len(classes)
    truths = np.sort(rng.integers(k, size=n))
    answers = np.where(rng.random(n) < 0.7, truths, rng.integers(k + 1, size=n))
    counts = np.zeros((k, k + 1), int)
    np.add.at(counts, (truths, answers), 1)
    rows = tuple(
        LabelRow(label, int(counts[i].sum()), int(counts[:, i].sum()), int(counts[i, i]), (0.4, 0.9))
        for i, label in enumerate(classes)
    )
    confusion = tuple(tuple(line) for line in counts.tolist())
    return FieldTable(name, classes, confusion, rows, {"accuracy": 0.7}, {"accuracy": (0.6, 0.8)})


def reliability(name: str, *, calibrated: bool) -> Reliability:
    """Confidences that are a little too high."""
    rng = np.random.default_rng(3)
    p = rng.beta(5, 2, 200)
    right = rng.random(200) < p**1.5
    before = reliability_bins(p, right) if calibrated else None
    return Reliability(
        name,
        before,
        reliability_bins(p**1.5, right),
        ece(p, right) if calibrated else None,
        ece(p**1.5, right),
        200,
        {"ECE": 0.02},
        {"ECE": (0.01, 0.04)},
    )


def case(number: int, media: dict[Modality, Media], text: str | None = None) -> Case:
    """An error; every third has no answer."""
    sample = Sample(f"{EVIL}{number}", media, text, {"label": EVIL, "words": "a"})
    spans = (Span(0, 2, "Tape"), Span(2, 5, EVIL))
    if number % 3:
        answer = Prediction(sample.id, {"label": "b", "words": "b"}, confidence={"label": 0.75, "reply": 0.5})
        outcome = Outcome(sample.id, EVIL, "b", (), {"OCA": 0.0, "tIoU": None})
        return Case(sample, answer, outcome, spans, (Span(1, 5, "Tape"),), {"label": EVIL}, {"label": "b"})
    problems = (Problem("note", EVIL), Problem("unread", EVIL, EVIL, fatal=True))
    silent = Prediction[dict[str, str]](sample.id, None, problems, raw=EVIL)
    return Case(sample, silent, Outcome(sample.id, EVIL, None, ("note", "unread"), {"OCA": 0.0}), spans)


def cases() -> tuple[Case, ...]:
    """Errors with media of every kind, some of which cannot be opened."""
    rng = np.random.default_rng(1)
    picture = rng.integers(0, 255, (30, 40, 3), dtype=np.uint8)
    film = np.repeat(picture[None], 12, axis=0)
    wave = (0.5 * np.sin(np.arange(16_000) / 20)).astype(np.float32)[None]
    given: list[tuple[dict[Modality, Media], str | None]] = [
        ({"image": Image(picture)}, f"{EVIL} \x00\udcff ערב 黄色"),
        ({"video": Clip(film, fps=4.0)}, None),
        ({"audio": Sound(wave, rate_hz=16_000)}, "x" * 100_000),
        ({"image": Image(f"{EVIL}.png")}, ""),
        ({}, "words alone"),
    ]
    return tuple(case(number, *given[number % len(given)]) for number in range(20))


def curve() -> ThresholdCurve:
    """Precision is undefined where nothing reaches the threshold."""
    return ThresholdCurve(
        EVIL, 0.4, (0.1, 0.4, 0.8, 1.0), (0.5, 0.7, 0.9, NAN), (1.0, 0.8, 0.3, 0.0), (0.67, 0.75, 0.45, 0.0)
    )


def full_report() -> Report:
    """One of everything."""
    found = cases()
    calibrated, plain = reliability("reply", calibrated=True), reliability("part.label", calibrated=False)
    rng = np.random.default_rng(4)
    p = rng.random(80)
    risk = risk_coverage(p, rng.random(80) < p)
    slices = {
        EVIL: (SliceRow(EVIL, 4, {"OCA": 0.5}, {"OCA": (0.1, 0.9)}, "few"), SliceRow("黄色", 9, {"OCA": NAN}, {}))
    }
    return Report(
        task=EVIL,
        n=120,
        metrics={"OCA": 0.7, "tIoU": 0.62, "log_loss": 1.7, "never": NAN, EVIL: 0.1},
        intervals={"OCA": (0.61, 0.78), "tIoU": (0.5, 0.7), "log_loss": (1.1, 2.2), "never": (NAN, NAN)},
        baselines={"constant": {"OCA": 0.2, "tIoU": 0.3}, "chance": {"OCA": 0.1}},
        model=EVIL,
        data=EVIL,
        denominators={"OCA": 120, "tIoU": 77},
        labels=field("label", ("a", EVIL, "$c$")).rows,
        entropy_bits=1.5,
        failures={EVIL: 3},
        warnings=(EVIL,),
        wrong=tuple(one.outcome for one in found),
        fields=(field("label", ("a", EVIL, "$c$")), field("part.other", tuple(f"class {i}" for i in range(20)))),
        reliability=(calibrated, plain),
        risk=(("reply", risk),),
        thresholds=(curve(),),
        lower_is_better=frozenset({"log_loss"}),
        slices=slices,
        rivals={"text_expert": {"OCA": 0.5}},
        comparisons=(Comparison("head", EVIL, 120, 1000, {"OCA": Difference(0.7, 0.5, 0.2, (0.1, 0.3), 1.0)}, (), ()),),
        cases=found,
        sanity=(Check("baselines below 1", True, "0.3 at most"), Check("label leak", False, EVIL)),
        robustness=(
            RobustnessRow(EVIL, "image", 90, "OCA", 0.7, 0.6, -0.1, (-0.2, 0.0), 0.14, {EVIL: 30}),
            RobustnessRow("text removed", "text", 0, "OCA", NAN, NAN, NAN, (NAN, NAN), NAN, {"no text": 120}),
        ),
        definitions="What is meant.\n\n- `OCA`: the operation\n  is the true one.\n- `other`: not in here.\n\nMore.",
    )
