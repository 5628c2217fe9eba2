"""HateCheck and Multilingual HateCheck: functional tests of hate classifiers, as samples of words alone.

Röttger et al., HateCheck: Functional Tests for Hate Speech Detection Models, ACL 2021; Röttger et al., Multilingual
HateCheck, WOAH 2022. Their CSV files are read as they are published. A pass rate is the accuracy of a functionality:
`meta` holds what the tables are made by, and labels are the gold ones, never the annotators'.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vlmkit.errors import DataError
from vlmkit.types import Sample
from vlmkit_plugins.memes.schema import Labels, TargetGroup, truth

NEEDED = ("functionality", "test_case", "label_gold", "target_ident")
"""Columns that both have; beside them `case_id`, or `mhc_case_id` with the language in it (`german-1`)."""
LANGUAGES: Mapping[str, str] = {
    "arabic": "ar", "dutch": "nl", "english": "en", "french": "fr", "german": "de", "hindi": "hi", "italian": "it",
    "mandarin": "zh", "polish": "pl", "portuguese": "pt", "spanish": "es",
}  # fmt: skip
"""Names of languages, as the data say them, with the code that the combined text has."""
GROUPS: Mapping[str, TargetGroup] = {
    "women": "gender", "trans people": "gender", "gay people": "sexuality", "black people": "race",
    "disabled people": "disability", "muslims": "religion", "jews": "religion", "immigrants": "nationality",
    "refugees": "nationality",
}  # fmt: skip
"""The protected groups that the taxonomy knows; others stay in `meta["target_ident"]`, and unknown as a label."""
_GOLD: Mapping[str, Any] = {"hateful": 1, "non-hateful": 0}
_LONGEST = 1_000_000  # characters of a field


def is_hatecheck(file: Path) -> bool:
    """Whether the file's first line has the columns."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            return set(NEEDED) <= set(next(csv.reader(stream), []))
    except (OSError, UnicodeDecodeError, csv.Error):
        return False


def read_hatecheck(file: Path) -> list[Sample]:
    """The test cases of one CSV file, in its order; ids are `hatecheck_test_1`, `hatecheck_test_german-1`.

    `meta` has `functionality`, `target_ident`, `language` and, where the language is known, its code `lang`. Raises
    `DataError` naming the line of a bad row: without words, with a label that is neither hateful nor non-hateful, with
    too many or too few fields; and for ids that come more than once.
    """
    limit = csv.field_size_limit(_LONGEST)
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            if missing := [name for name in NEEDED if name not in (reader.fieldnames or ())]:
                raise DataError(
                    f"{file}:1: column {missing[0]!r} is missing; a .csv is read as HateCheck, with columns "
                    f"{', '.join(NEEDED)}; samples of your own are listed in a manifest.jsonl"
                )
            found = [_sample(row, f"{file}:{reader.line_num}") for row in reader]
    except UnicodeDecodeError:
        raise DataError(f"{file}: cannot be read as UTF-8 text") from None
    except (OSError, csv.Error) as error:
        raise DataError(f"{file}: cannot be read as CSV: {error}") from None
    finally:
        csv.field_size_limit(limit)
    if twice := [key for key, n in Counter(sample.id for sample in found).items() if n > 1]:
        raise DataError(f"{file}: {len(twice)} ids come more than once: {', '.join(map(repr, twice[:5]))}")
    if not found:
        raise DataError(f"{file}: holds no test case")
    return found


def _sample(row: Mapping[str | None, Any], where: str) -> Sample:
    if None in row or None in row.values():
        raise DataError(f"{where}: has another number of fields than the first line; a quote may be missing")
    text, gold = str(row["test_case"]).strip(), str(row["label_gold"]).strip().casefold()
    key = str(row.get("mhc_case_id") or row.get("case_id") or "").strip()
    if not key:
        raise DataError(f"{where}: neither case_id nor mhc_case_id")
    if not Sample(key, text=text).has_words:
        raise DataError(f"{where}: test_case: has no words")
    if gold not in _GOLD:
        raise DataError(f"{where}: label_gold: wanted hateful or non-hateful; given {row['label_gold']!r}")
    language = str(row.get("language") or key.rpartition("-")[0]).strip().casefold()
    target = str(row["target_ident"]).strip()
    group, hateful = GROUPS.get(target.casefold()), _GOLD[gold]
    attacked = (group,) if group else None
    known = Labels(
        abuse_hate=hateful,
        target_type=None if hateful else "none",
        target_group=attacked if hateful else (),
        aux={"dataset": "hatecheck", "labels_raw": {"label_gold": row["label_gold"], "target_ident": target}},
    )
    meta: dict[str, Any] = {
        "dataset": "hatecheck",
        "split": "test",
        "functionality": str(row["functionality"]).strip(),
        "target_ident": target or "none",
        "labels": known.model_dump(mode="json"),
    }
    if language:
        meta["language"] = language
        if code := LANGUAGES.get(language, language if len(language) == 2 else None):
            meta["lang"] = code
    return Sample(f"hatecheck_test_{key}", text=text, truth=truth(known), meta=meta)
