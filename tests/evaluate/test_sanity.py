"""Every check passes on an honest evaluation, and fails on the lie that it is there for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.evaluate.sure import SCORING, Spam, messages, row, task
from vlmkit.evaluate import Report, evaluate, files
from vlmkit.evaluate.evidence import Ask
from vlmkit.evaluate.figures import Check
from vlmkit.evaluate.leaks import traits
from vlmkit.evaluate.sanity import checked
from vlmkit.task import Scoring
from vlmkit.types import Image, Prediction, Sample

ALL = [
    "hidden truth",
    "label leak",
    "self-comparison",
    "baselines below 1",
    "shuffled truth",
    "dropped predictions",
    "unseen samples",
]


def honest(samples: Iterable[Sample]) -> Iterator[Prediction[Spam]]:
    """Answers by the words of a message alone."""
    for sample in samples:
        p = 0.9 if "win" in (sample.text or "") else 0.2
        yield Prediction(sample.id, Spam("yes" if p > 0.5 else "no", "en", p))


def mail(n: int = 60) -> list[Sample]:
    """Messages in whose words the truth can be read, mostly."""
    rng = np.random.default_rng(5)
    return [
        replace(sample, text="win now" if (sample.truth.label == "yes") != (rng.random() < 0.1) else "hello")
        for sample in messages(n)
        if isinstance(sample.truth, Spam)
    ]


def look(
    samples: list[Sample],
    ask: Ask[Spam] | None = honest,
    scoring: Scoring[Spam] = SCORING,
    given: list[Prediction[Spam]] | None = None,
    known: tuple[str, ...] | None = (),
) -> Report:
    given = list(honest(samples)) if given is None else given
    return checked(evaluate(task(scoring), samples, given), task(scoring), samples, given, ask=ask, known=known)


def failed(report: Report) -> dict[str, str]:
    """Detail by name."""
    return {one.name: one.detail for one in report.sanity if not one.passed}


def test_an_honest_evaluation_passes_all() -> None:
    report = look(mail())
    assert [one.name for one in report.sanity] == ALL
    assert failed(report) == {}
    assert not any("check" in warning for warning in report.warnings)
    assert "60 samples were asked again" in report.sanity[0].detail
    assert report.sanity[1].detail.startswith("balanced accuracy of what is no content: id 0.")


def test_a_failed_check_stands_on_top_of_the_warnings() -> None:
    samples = [replace(sample, id=f"{sample.truth.label}-{sample.id}") for sample in mail() if sample.truth]
    report = look(samples)
    assert report.warnings[0].startswith(
        "the check 'label leak' failed: the class can be told from id 1.00 (chance 0.50, p 0.0"
    )
    assert "THE CHECK 'label leak' FAILED" in str(report)


def test_samples_that_were_learned_from_fail() -> None:
    report = look(mail(), known=("the head has learned from 3 of these 60 samples, such as 'm001'",))
    assert list(failed(report)) == ["unseen samples"]
    assert "learned from 3 of these 60" in report.warnings[0]


def reads_truth(samples: Iterable[Sample]) -> Iterator[Prediction[Spam]]:
    for sample in samples:
        yield Prediction(sample.id, sample.truth or Spam("no"))


def reads_ids(samples: Iterable[Sample]) -> Iterator[Prediction[Spam]]:
    for sample in samples:
        yield Prediction(sample.id, Spam("yes" if sample.id in ("m003", "m005") else "no"))


def reads_meta(samples: Iterable[Sample]) -> Iterator[Prediction[Spam]]:
    for sample in samples:
        yield Prediction(sample.id, Spam(str(sample.meta.get("label", "no"))))


def reads_names(samples: Iterable[Sample]) -> Iterator[Prediction[Spam]]:
    for sample in samples:
        image = sample.media["image"]
        yield Prediction(sample.id, Spam("yes" if "spam" in image.name else "no"))


@pytest.mark.parametrize("ask", [reads_truth, reads_ids, reads_meta, reads_names])
def test_a_head_that_reads_the_answer_is_caught(ask: Ask[Spam], tmp_path: Path) -> None:
    samples = []
    for sample in mail(20):
        label = sample.truth.label if sample.truth else ""
        file = tmp_path / f"{'spam' if label == 'yes' else 'ham'}-{sample.id}.png"
        file.write_bytes(b"x")
        samples.append(replace(sample, media={"image": Image(file)}, meta={"label": label}))
    report = look(samples, ask, given=list(ask(samples)))
    assert "answers change when truth, id, file names and meta are hidden" in failed(report)["hidden truth"]


def test_a_head_that_knows_samples_by_their_place_is_caught() -> None:
    samples = mail(120)
    order = [sample.truth for sample in samples]

    def counts(given: Iterable[Sample]) -> Iterator[Prediction[Spam]]:
        for sample, truth in zip(given, order, strict=False):
            yield Prediction(sample.id, truth)

    detail = failed(look(samples, counts, given=list(counts(samples))))["hidden truth"]
    assert "answers differ when the same sample is asked twice" in detail
    assert "right ones become wrong, and 0 wrong ones right; the head knows samples by their place" in detail


def test_meta_that_is_part_of_the_question_stays() -> None:
    samples = [replace(sample, meta={"label": "yes"}) for sample in mail(20)]
    report = look(samples, reads_meta, replace(SCORING, inputs=frozenset({"label"})), list(reads_meta(samples)))
    assert "hidden truth" not in failed(report)


def test_answers_from_a_file_and_a_head_that_draws_lots_cannot_be_checked() -> None:
    report = look(mail(), None)
    assert [one.name for one in report.sanity] == ALL[1:]
    assert "the check 'hidden truth' could not be made: the answers come from a file" in report.warnings[-1]
    report = look(mail(), known=None)
    assert [one.name for one in report.sanity] == ALL[:-1]
    assert "the check 'unseen samples' could not be made" in report.warnings[-1]
    rng = np.random.default_rng(0)

    def lots(samples: Iterable[Sample]) -> Iterator[Prediction[Spam]]:
        yield from (Prediction(sample.id, Spam("yes", "en", float(rng.random()))) for sample in samples)

    report = look(mail(), lots, given=list(lots(mail())))
    assert any("differ when the same sample is asked twice" in warning for warning in report.warnings)


def grow(sample: Sample, folder: Path) -> Sample:
    """A spam's file is larger; nothing else gives it away."""
    hit = sample.truth is not None and sample.truth.label == "yes"
    file = folder / f"{sample.id}.png"
    file.write_bytes(b"x" * (200 if hit else 100))
    return replace(sample, media={"image": Image(file)})


@pytest.mark.parametrize(
    ("plant", "named"),
    [
        (lambda sample, _: replace(sample, id=f"{sample.truth.label[0]}{sample.id}"), "id"),
        (grow, "image file size"),
        (lambda sample, _: replace(sample, meta={"flag": 1} if sample.truth.label == "yes" else {}), "keys of meta"),
        (
            lambda sample, _: replace(sample, media={"image": Image(f"{sample.truth.label}/{sample.id}.png")}),
            "image folder",
        ),
        (
            lambda sample, _: replace(sample, media={"image": Image(f"{sample.id}.{sample.truth.label}")}),
            "image suffix",
        ),
    ],
)
def test_a_planted_leak_is_named(plant: Callable[[Sample, Path], Sample], named: str, tmp_path: Path) -> None:
    report = look([plant(sample, tmp_path) for sample in mail()])
    assert failed(report)["label leak"].startswith(f"the class can be told from {named} 1.00 (chance 0.50, p 0.0")
    assert list(failed(report)) == ["label leak"]


def test_what_a_sample_brings_is_content(tmp_path: Path) -> None:
    """Only spam has a picture: that is for the head to see, and its file gives nothing else away."""
    samples = [grow(sample, tmp_path) if sample.truth and sample.truth.label == "yes" else sample for sample in mail()]
    assert "label leak" not in failed(look(samples))


def test_sizes_that_tell_a_little_are_no_leak(tmp_path: Path) -> None:
    """A lively film is larger than a still one."""

    def grown(sample: Sample, extra: int) -> Sample:
        hit = sample.truth is not None and sample.truth.label == "yes"
        file = tmp_path / f"{sample.id}.png"
        file.write_bytes(b"x" * (100 + extra + (9 if hit else 0)))
        return replace(sample, media={"image": Image(file)})

    rng = np.random.default_rng(2)
    report = look([grown(sample, int(rng.integers(30))) for sample in mail()])
    assert "image file size 0." in report.sanity[1].detail
    assert report.sanity[1].passed


def test_sorted_rows_are_a_leak() -> None:
    samples = sorted(mail(), key=lambda sample: sample.truth.label if sample.truth else "")
    assert "can be told from place in the data 0.8" in failed(look(samples))["label leak"]


def test_pictures_of_another_size_are_a_leak() -> None:
    samples = [
        replace(
            one, media={"image": Image(np.zeros((9 if one.truth and one.truth.label == "yes" else 8, 8, 3), np.uint8))}
        )
        for one in mail()
    ]
    assert "picture size 1.00" in failed(look(samples))["label leak"]


def test_too_few_samples_of_a_class_are_said() -> None:
    report = look(mail(12))
    assert any("'label leak' could not be made: fewer than two classes have ten" in one for one in report.warnings)


def test_a_guard_that_lets_copies_pass_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "guard_self_comparison", lambda samples, predictions: None)
    assert failed(look(mail())) == {"self-comparison": "the truth, given as predictions, was taken for answers"}


def test_data_that_a_constant_solves_is_caught() -> None:
    samples = [replace(sample, truth=Spam("no")) for sample in mail()]
    detail = failed(look(samples))["baselines below 1"]
    assert "'majority' in accuracy" in detail
    assert "'shuffled' in label accuracy" in detail


def test_a_metric_that_pays_for_something_else_is_caught() -> None:
    def paid(truth: Spam, answer: Spam | None) -> dict[str, float | None]:
        return {"accuracy": float(answer is not None and answer.p in (0.9, 0.2))}  # what only this head says

    detail = failed(look(mail(), scoring=replace(SCORING, row=paid)))["shuffled truth"]
    assert detail.startswith("against shuffled truths: accuracy 1.000 (chance 0.000, with its own truths 1.000)")


def test_a_metric_that_forgets_missing_answers_is_caught() -> None:
    def forgetful(truth: Spam, answer: Spam | None) -> dict[str, float | None]:
        return row(truth, answer) if answer else {}

    detail = failed(look(mail(), scoring=replace(SCORING, row=forgetful)))["dropped predictions"]
    assert detail.startswith("accuracy goes from 0.")
    assert "to 1.000 with" in detail
    assert detail.endswith("wrong answers left out")


def test_a_metric_that_likes_silence_is_caught() -> None:
    silent = replace(SCORING, combine=lambda means: {"restraint": 1 - means["accuracy"]})
    assert "restraint goes from" in failed(look(mail(), scoring=silent))["dropped predictions"]


def test_checks_are_plain_data() -> None:
    assert all(isinstance(one, Check) and type(one.passed) is bool for one in look(mail()).sanity)


def test_what_tells_nothing_is_hardly_ever_a_leak() -> None:
    """One in a hundred honest evaluations may fail, and no more."""
    found = 0
    for seed in range(30, 42):  # in the seventh an id tells as much as in one of thirty by accident
        generator = np.random.default_rng(seed)
        labels = [str(label) for label in generator.integers(3, size=60)]
        samples = [Sample(f"clip_{name}", text="x") for name in generator.integers(10**6, size=60)]
        found += any(one.leaks for one in traits(samples, labels, range(60), seed=seed))
    assert found == 0
