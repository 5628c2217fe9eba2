"""The JSON decoder: a bounded grammar before the reply, a strict reading and the task's own rules after it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, Literal, TypeVar

from pydantic import BaseModel, RootModel

from vlmkit.calibration.files import Calibration
from vlmkit.decoders.closing import UnclosableError, close_piece
from vlmkit.decoders.confidence import renumbered, token_confidence
from vlmkit.decoders.fit import build, faults
from vlmkit.decoders.reader import Mend, read
from vlmkit.decoders.scan import MalformedError, Piece, scan
from vlmkit.decoders.schema import bounded, shape_of
from vlmkit.types import Constraint, Generation, Prediction, Problem, Sample

M = TypeVar("M", bound=BaseModel)

Rule = Callable[[M, Sample], Iterable[Problem]]
"""A check that a grammar cannot hold (start before end, inside the clip). A fatal `Problem` takes the value away."""


@dataclass(frozen=True)
class Sieved(Generic[M]):
    """A list without the elements that no rule of the task allows: the places of those that stay, a problem each."""

    value: M
    kept: tuple[int, ...]
    problems: tuple[Problem, ...] = ()


Sieve = Callable[[M, Sample], Sieved[M]]


class JsonDecoder(Generic[M]):
    """Replies that are one JSON document of `result`.

    Args:
        result: a pydantic model whose every field is bounded.
        rules: asked in order once a reply is read; what they find goes into the prediction.
        sieve: asked before the rules, for answers that are lists: one bad element does not spoil the others.
        lenient: for engines that cannot be constrained: where strict reading fails, the tolerant reader tries, and
            each thing it repaired becomes a `repaired` problem.
        mend: knows other spellings of the task's values, for the tolerant reader.
        narrow: a stricter model for one sample (the same fields, tighter bounds), for what only the sample tells, such
            as a clip's length; replies about it are constrained by that.

    Raises `BudgetError` or `WiringError` for a result that cannot be bounded.

    Attributes:
        calibration: how probable it is that a field, or the whole `reply`, is right, out of the token probabilities.
            With one, `confidence` has just the fields that it has a map for, and `uncalibrated` all.
    """

    reads: Literal["generation", "tokens"] = "generation"

    def __init__(
        self,
        result: type[M],
        *,
        rules: Sequence[Rule[M]] = (),
        sieve: Sieve[M] | None = None,
        lenient: bool = False,
        mend: Mend | None = None,
        narrow: Callable[[Sample], type[BaseModel]] | None = None,
    ) -> None:
        self.result = result
        self.rules = tuple(rules)
        self.sieve = sieve
        self.lenient = lenient
        self.mend = mend
        self.narrow = narrow
        self.bounds = bounded(result)
        self.calibration: Calibration | None = None

    def constraint(self, sample: Sample) -> Constraint:
        """The same for every sample, unless there is something to narrow."""
        return bounded(self._asked(sample))

    def encode(self, value: M) -> str:
        """Compact JSON, fields in declared order. `decode(encode(x)) == x`, for every value.

        A value that the grammar does not write (a control character, .1 + .2 in a field of one place) is still read
        back; as a training target it teaches what serving cannot say.
        """
        return value.model_dump_json(by_alias=True, round_trip=True)

    def decode(self, evidence: Generation, sample: Sample) -> Prediction[M]:
        """One document of the schema, or a fatal problem that says why not. Total on any text.

        A reply that its budget cut is closed and reported as `truncated`. A list that has nothing left is no answer:
        it would say that there is nothing. Only what a rule raises goes through.
        """
        problems: list[Problem] = []
        if evidence.stop == "unread":
            text = f"the prompt has {evidence.n_prompt} positions, and no reply fits behind it; give less"
            return self._without(evidence, sample, [Problem("prompt_too_long", text, fatal=True)])
        if evidence.problem is not None:
            return self._without(evidence, sample, [replace(evidence.problem, fatal=True)])
        read_as, piece = self._strict(evidence, problems)
        if isinstance(read_as, Problem) and self.lenient:
            read_as, piece = self._lenient(evidence, problems), None
        if not isinstance(read_as, Problem) and _emptied(read_as, problems):
            read_as = Problem(
                "truncated", "the reply hit its token budget before anything in its list was whole", fatal=True
            )
            problems = [problem for problem in problems if problem.code != "truncated"]
        if isinstance(read_as, Problem):
            return self._without(evidence, sample, [*problems, read_as])
        kept: Sequence[int] | None = None
        if self.sieve is not None:
            sieved = self.sieve(read_as, sample)
            read_as, kept = sieved.value, sieved.kept
            problems.extend(sieved.problems)
            if _empty(read_as) and not kept and sieved.problems:
                text = "nothing of the answer is left, and an empty one would say that there is nothing"
                problems.append(Problem("nothing_left", text, fatal=True))
        for rule in self.rules:
            problems.extend(rule(read_as, sample))
        if any(problem.fatal for problem in problems):
            return self._without(evidence, sample, problems)
        said = token_confidence(evidence, piece, shape_of(self._asked(sample)))
        said = said if kept is None else renumbered(said, {old: new for new, old in enumerate(kept)})
        known = self.calibration
        if known is None:
            return Prediction(sample.id, read_as, tuple(problems), confidence=said, raw=evidence.text)
        holds = {name: known.holds(name, p) for name, p in said.items() if name in known.maps}
        text = evidence.text
        return Prediction(sample.id, read_as, tuple(problems), confidence=holds, uncalibrated=said, raw=text)

    def _asked(self, sample: Sample) -> type[BaseModel]:
        return self.result if self.narrow is None else self.narrow(sample)

    def _strict(self, reply: Generation, problems: list[Problem]) -> tuple[M | Problem, Piece | None]:
        shape = shape_of(self.result)
        try:
            piece = scan(reply.text)
            if not piece.whole and reply.stop == "length":
                piece, dropped = close_piece(piece, shape)
                problems.append(Problem("truncated", f"the reply hit its token budget; dropped {dropped}"))
        except UnclosableError as error:
            return Problem("truncated", f"the reply hit its token budget: {error}", fatal=True), None
        except MalformedError as error:
            return Problem("not_json", f"the reply is not one JSON document: {error}", fatal=True), None
        if not piece.whole:
            return Problem("not_json", "the reply ends before its JSON document does", fatal=True), None
        fault = next(faults(piece, shape), None)
        return fault or build(piece.data(), self.result), piece

    def _lenient(self, reply: Generation, problems: list[Problem]) -> M | Problem:
        reading = read(reply.text, self.result, self.mend)
        problems[:] = [Problem("repaired", repair) for repair in reading.repairs]
        if isinstance(reading.outcome, Problem):
            return reading.outcome
        if reply.stop == "length":
            problems.append(Problem("truncated", "the reply hit its token budget"))
        return reading.outcome

    def _without(self, reply: Generation, sample: Sample, problems: Sequence[Problem]) -> Prediction[M]:
        return Prediction(sample.id, None, tuple(problems), raw=reply.text)


def _emptied(value: BaseModel, problems: Sequence[Problem]) -> bool:
    """Whether an answer is an empty list because it was cut."""
    return _empty(value) and any(problem.code == "truncated" for problem in problems)


def _empty(value: BaseModel) -> bool:
    items = value.root if isinstance(value, RootModel) else None
    return isinstance(items, list | tuple) and not items
