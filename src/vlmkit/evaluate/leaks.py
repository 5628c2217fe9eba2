"""Whether the class of a sample can be told from what is no content: its id, its place, its files' names and sizes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlmkit.errors import MissingExtraError
from vlmkit.types import Media, Sample

FOLDS = 3
LEAST = 10  # samples of a class; rarer ones are left out
MOST = 2000  # samples that are looked at
LEVEL = 0.01  # of all traits together: a proof that fails by accident in one of twenty evaluations is soon ignored
TWO = 2
SHARE = 0.2  # of the way from chance to always right; less than that is no use to a head, however sure it is
SHARE_OF_SIZES = 0.5  # a lively film is larger than a still one: in part, sizes are content
_ENOUGH = 10  # shuffled scores as high as the real one, and a trait is cleared
_FIRST, _FAR = 40, 5.0  # shuffles, and their standard deviations: from there on the tail of a normal distribution is p


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
    """Each trait that differs between the samples that have it, tried by a small classifier of scikit-learn.

    Classes are shuffled until it is clear that they are told as well by accident, or that they are not (sequential
    Monte Carlo p-values: J. Besag and P. Clifford, Biometrika 78, 1991), or that the tail of a normal distribution says
    enough; p-values are corrected for the number of traits (Bonferroni). Empty where fewer than two classes have ten
    samples.

    Args:
        places: where each sample stands in the data.

    Raises `MissingExtraError`.
    """
    try:
        import sklearn  # noqa: F401  # looked for once, here
    except ImportError as error:
        raise MissingExtraError("sklearn", "report") from error
    found = {}
    for name, values in _values(samples, places):
        kept = _kept(values, labels, seed)
        names, classes = np.unique([labels[i] for i in kept], return_inverse=True)
        matrix = _matrix([values[i] for i in kept]) if len(names) >= TWO else None
        if matrix is not None:
            found[name] = matrix, classes
    generator = np.random.default_rng(seed)
    most = 110 * len(found)  # so that a certain leak is still one after the correction
    tried = []
    for name, (matrix, classes) in found.items():
        accuracy, chance = _accuracy(matrix, classes), 1 / (int(classes.max()) + 1)
        share = SHARE_OF_SIZES if name.endswith("size") else SHARE
        p = None
        if accuracy >= chance + share * (1 - chance):
            p = _p_value(matrix, classes, accuracy, most, generator)
        tried.append(Trait(name, accuracy, chance, p, p is not None and p * len(found) <= LEVEL))
    return tried


def _values(samples: Sequence[Sample], places: Sequence[int]) -> Iterator[tuple[str, Sequence[Any]]]:
    """Name of each trait and its value in each sample: text, or numbers; None where a sample does not have it."""
    yield "id", [sample.id for sample in samples]
    yield "place in the data", [(float(place),) for place in places]
    yield "keys of meta", [" ".join(sorted(map(str, sample.meta))) for sample in samples]
    for modality in sorted({modality for sample in samples for modality in sample.media}):
        media = [sample.media.get(modality) for sample in samples]
        files = [_file(one) for one in media]
        yield f"{modality} file name", [path and path.stem for path in files]
        yield f"{modality} folder", [path and path.parent.name for path in files]
        yield f"{modality} suffix", [path and path.suffix for path in files]
        yield f"{modality} file size", [_n_bytes(one) for one in media]
        if modality == "image":
            yield "picture size", [_size_px(one) for one in media]


def _kept(values: Sequence[Any], labels: Sequence[str], seed: int) -> list[int]:
    """Samples with a value, of classes that have ten of them; some, where there are many."""
    having = [i for i, value in enumerate(values) if value is not None]
    counts = Counter(labels[i] for i in having)
    kept = [i for i in having if counts[labels[i]] >= LEAST]
    if len(kept) <= MOST:
        return kept
    drawn = np.random.default_rng(seed).choice(len(kept), MOST, replace=False)
    return [kept[i] for i in sorted(drawn)]


def _matrix(values: Sequence[Any]) -> Any:
    """Which runs of one to three letters a text has, or its numbers; None where all samples are alike."""
    if len(set(values)) < TWO:
        return None
    if not isinstance(values[0], str):
        return np.array(values, dtype=np.float64)
    from sklearn.feature_extraction.text import CountVectorizer

    counted = CountVectorizer(analyzer="char", ngram_range=(1, 3), binary=True, lowercase=False, max_features=2000)
    return counted.fit_transform(f"^{text}$" for text in values)


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
    as_well, drawn = 0, list[float]()
    for tried in range(1, most):
        drawn.append(_accuracy(features, generator.permutation(classes)))
        as_well += drawn[-1] >= accuracy
        if as_well == _ENOUGH:
            return as_well / tried
        if tried == _FIRST and accuracy > np.mean(drawn) + _FAR * np.std(drawn):
            return math.erfc(_FAR / math.sqrt(2)) / 2
    return (as_well + 1) / most


def _file(media: Media | None) -> Path | None:
    return Path(media.source) if media is not None and isinstance(media.source, str | Path) else None


def _n_bytes(media: Media | None) -> tuple[float] | None:
    if media is not None and isinstance(media.source, bytes):
        return (float(len(media.source)),)
    path = _file(media)
    return (float(path.stat().st_size),) if path is not None and path.is_file() else None


def _size_px(media: Media | None) -> tuple[float, float, float] | None:
    """Width, height and their ratio, from the header alone."""
    if media is None:
        return None
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
        return None
    return float(width), float(height), width / max(1, height)
