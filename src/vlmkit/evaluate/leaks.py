"""Whether the class of a sample can be told from what is no content: its id, its place, its files' names and sizes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlmkit.errors import MissingExtraError
from vlmkit.evaluate.bootstrap import Array
from vlmkit.types import Media, Sample

FOLDS = 3
LEAST = 10  # samples of a class; rarer ones are left out
MOST = 2000  # samples that are looked at
LEVEL = 0.05  # of all traits together
TWO = 2
SHARE = 0.2  # of the way from chance to always right; less than that is no use to a head, however sure it is
_ENOUGH = 10  # shuffled scores as high as the real one, and a trait is cleared
_ABSENT = -1.0


@dataclass(frozen=True)
class Trait:
    """How well one thing that is no content tells the class.

    Attributes:
        accuracy: balanced, cross-validated. chance: one by the number of classes.
        p: how often shuffled classes are told as well, the permutation test's p-value for this trait alone; None where
            accuracy is not above chance by enough to be of use.
        leaks: it is, and that is no accident even among so many traits.
    """

    name: str
    accuracy: float
    chance: float
    p: float | None
    leaks: bool


def traits(samples: Sequence[Sample], labels: Sequence[str], places: Sequence[int], *, seed: int) -> list[Trait]:
    """Each trait that differs between samples, tried by a small classifier of scikit-learn.

    Classes are shuffled until it is clear that they are told as well by accident, or that they are not (sequential
    Monte Carlo p-values: J. Besag and P. Clifford, Biometrika 78, 1991); p-values are corrected for the number of
    traits (Bonferroni). Empty where fewer than two classes have ten samples.

    Args:
        places: where each sample stands in the data.

    Raises `MissingExtraError`.
    """
    kept = _kept(labels, seed)
    names, classes = np.unique([labels[i] for i in kept], return_inverse=True)
    if len(names) < TWO:
        return []
    try:
        import sklearn  # noqa: F401  # looked for once, here
    except ImportError as error:
        raise MissingExtraError("sklearn", "report") from error
    made = _features([samples[i] for i in kept], [places[i] for i in kept])
    found = {name: matrix for name, matrix in made if matrix is not None}
    generator = np.random.default_rng(seed)
    most = 40 * len(found)  # so that a certain leak is still one after the correction
    tried = []
    for name, features in found.items():
        accuracy, chance = _accuracy(features, classes), 1 / len(names)
        p = None
        if accuracy >= chance + SHARE * (1 - chance):
            p = _p_value(features, classes, accuracy, most, generator)
        tried.append(Trait(name, accuracy, chance, p, p is not None and p * len(found) <= LEVEL))
    return tried


def _kept(labels: Sequence[str], seed: int) -> list[int]:
    counts = Counter(labels)
    places = [place for place, label in enumerate(labels) if counts[label] >= LEAST]
    if len(places) > MOST:
        drawn = np.random.default_rng(seed).choice(len(places), MOST, replace=False)
        places = [places[i] for i in sorted(drawn)]
    return places


def _features(samples: Sequence[Sample], places: Sequence[int]) -> Iterator[tuple[str, Any]]:
    """Name and matrix of each trait; None where all samples are alike."""
    yield "id", _letters([sample.id for sample in samples])
    yield "place in the data", _numbers([(float(place),) for place in places])
    yield "keys of meta", _letters([" ".join(sorted(map(str, sample.meta))) for sample in samples], words=True)
    for modality in sorted({modality for sample in samples for modality in sample.media}):
        media = [sample.media.get(modality) for sample in samples]
        files = [_file(one) for one in media]
        yield f"{modality} file name", _letters([path.stem if path else "" for path in files])
        yield f"{modality} folder", _letters([path.parent.name if path else "" for path in files])
        yield f"{modality} suffix", _letters([path.suffix if path else "" for path in files])
        yield f"{modality} file size", _numbers([(_n_bytes(one),) for one in media])
        if modality == "image":
            yield "picture size", _numbers([_size_px(one) for one in media])


def _letters(texts: Sequence[str], *, words: bool = False) -> Any:
    """Which runs of one to three letters a text has; or which words, and how many of them."""
    if len(set(texts)) < TWO:
        return None
    from sklearn.feature_extraction.text import CountVectorizer

    if words:
        return CountVectorizer(binary=True, token_pattern=r"\S+", lowercase=False).fit_transform(texts)
    counted = CountVectorizer(analyzer="char", ngram_range=(1, 3), binary=True, lowercase=False, max_features=2000)
    return counted.fit_transform(f"^{text}$" for text in texts)


def _numbers(rows: Sequence[tuple[float, ...]]) -> Array | None:
    found = np.array(rows, dtype=np.float64)
    return None if (found == found[0]).all() else found


def _accuracy(features: Any, classes: NDArray[np.intp]) -> float:
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.model_selection import StratifiedKFold
    from sklearn.naive_bayes import BernoulliNB
    from sklearn.tree import DecisionTreeClassifier

    told = np.zeros_like(classes)
    # Folds are not shuffled: neighbours that belong together would stand on both sides.
    for train, test in StratifiedKFold(FOLDS).split(classes, classes):
        if isinstance(features, np.ndarray):
            model = DecisionTreeClassifier(max_depth=3, min_samples_leaf=5, class_weight="balanced", random_state=0)
        else:
            model = BernoulliNB(fit_prior=False)
        told[test] = model.fit(features[train], classes[train]).predict(features[test])
    return float(balanced_accuracy_score(classes, told))


def _p_value(
    features: Any, classes: NDArray[np.intp], accuracy: float, most: int, generator: np.random.Generator
) -> float:
    as_well = 0
    for tried in range(1, most):
        as_well += _accuracy(features, generator.permutation(classes)) >= accuracy
        if as_well == _ENOUGH:
            return as_well / tried
    return (as_well + 1) / most


def _file(media: Media | None) -> Path | None:
    return Path(media.source) if media is not None and isinstance(media.source, str | Path) else None


def _n_bytes(media: Media | None) -> float:
    if media is not None and isinstance(media.source, bytes):
        return float(len(media.source))
    path = _file(media)
    return float(path.stat().st_size) if path is not None and path.is_file() else _ABSENT


def _size_px(media: Media | None) -> tuple[float, float, float]:
    """Width, height and their ratio, from the header alone."""
    absent = (_ABSENT, _ABSENT, _ABSENT)
    if media is None:
        return absent
    if isinstance(media.source, np.ndarray):
        height, width = media.source.shape[:2]
        return float(width), float(height), width / max(1, height)
    import io

    from PIL import Image as pillow

    from vlmkit.media.image import FORMATS

    source = media.source
    try:
        with pillow.open(io.BytesIO(source) if isinstance(source, bytes) else Path(source), formats=FORMATS) as opened:
            width, height = opened.size
    except Exception:  # Pillow's readers raise nearly anything for a broken header; it has no size then
        return absent
    return float(width), float(height), width / max(1, height)
