"""Compare ways to vote on problems whose truth is known, with candidates that share wrong ideas.

Theory of operation. For each problem, number of candidates and repeat, candidates are drawn from real programs: right
submissions, wrong submissions, slow ones, and mutants. Errors are correlated: one wrong idea is drawn first, and most
wrong candidates have it (`SHARED_IDEA`). With independent errors, almost any vote looks good. Then each step of the
ablation labels the inputs and chooses a golden candidate; every step adds one technique to the one before it:

1. `x-coder`: the vote of X-Coder, on small inputs as generators print them, also invalid ones.
2. `default`: this service's default policy.
3. `+ validator`: invalid inputs are dropped, by the package's own validator.
4. `+ checker`: outputs agree by the problem's own checker.
5. `+ sizes`: the large inputs, too.
6. `+ brute`: a slow but simple program votes, with a veto on inputs that it finishes.
7. `+ disqualify`: a candidate that the brute program contradicts on any input loses its vote on all inputs.
8. `+ brute labels`: the output of the brute program is the label of each input that it finishes, without a vote.
9. `+ proven`: the vote of a candidate that is right on all of these inputs suffices for the others, without dissent.
10. `+ loo_auc`: tests are weighed by leave-one-out AUC when the golden candidate is chosen.

`WEIGHT_STEPS` compares the weights of tests, which only choose the golden candidate, at three of these steps.
`WRONG_BRUTE_STEPS` shows the harm if the brute program is itself wrong.

A label on an invalid input is wrong. The golden candidate is right if it is right on all valid inputs. TPR and TNR are
those of the labeled tests, over all programs of the package, each counted once per vote.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sandbox.problems.vote_matrix import MeasuredProblem, MeasuredProgram
from sandbox.problems.vote_measures import Counts, Measures, count_programs, summarize
from sandbox.runner.contract import Outcome, Status, Verdict
from sandbox.verify import golden, voting
from sandbox.verify.agreement import Agreement, BuiltInAgreement
from sandbox.verify.judge import CheckerChoice
from sandbox.verify.result import TestResult
from sandbox.verify.roles import Role

SHARED_IDEA = 0.8
RIGHT_SHARES = (0.4, 0.55, 0.7)
SMALL_SHARE = 0.5
PROVEN_AFTER = 3


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the ablation: what the vote knows and uses."""

    name: str
    policy: voting.Policy
    validates: bool = False
    checks: bool = False
    uses_large: bool = False
    uses_brute: bool = False
    brute_is_wrong: bool = False


_DEFAULT = voting.Policy()
_STRICT = voting.Policy(brute_disqualifies=True)
_LABELS = replace(_STRICT, brute_labels=True)
_PROVEN = replace(_LABELS, proven_after=PROVEN_AFTER)
STEPS = (
    Step("x-coder", voting.X_CODER_POLICY),
    Step("default", _DEFAULT),
    Step("+ validator", _DEFAULT, True),
    Step("+ checker", _DEFAULT, True, True),
    Step("+ sizes", _DEFAULT, True, True, True),
    Step("+ brute", _DEFAULT, True, True, True, True),
    Step("+ disqualify", _STRICT, True, True, True, True),
    Step("+ brute labels", _LABELS, True, True, True, True),
    Step("+ proven", _PROVEN, True, True, True, True),
    Step("+ loo_auc", replace(_PROVEN, weights="loo_auc"), True, True, True, True),
)
WEIGHTINGS: tuple[voting.Weighting, ...] = ("uniform", "confidence", "discrimination", "size", "loo_auc")
WEIGHT_STEPS = tuple(
    replace(step, name=f"{step.name}, {weights}", policy=replace(step.policy, weights=weights))
    for step in STEPS
    if step.name in {"default", "+ sizes", "+ proven"}
    for weights in WEIGHTINGS
)
WRONG_BRUTE_STEPS = tuple(
    replace(step, name=f"{step.name}, wrong brute", brute_is_wrong=True) for step in STEPS if step.uses_brute
)


@dataclass
class Draw:
    """The candidates of one vote, a brute program if the package has a slow one, and a wrong program in its place."""

    candidates: list[MeasuredProgram]
    brute: MeasuredProgram | None = None
    wrong_brute: MeasuredProgram | None = None
    idea: str = field(default="")


CountsOf = Mapping[tuple[int, str], Counts]


def study(
    problems: Sequence[MeasuredProblem], sizes: Iterable[int] = (4, 8, 16), repeats: int = 6, seed: int = 0
) -> list[Measures]:
    """Return the measures of every step for each number of candidates."""
    sizes = list(sizes)
    return combine([count_votes(problem, sizes, repeats, seed) for problem in problems])


def count_votes(
    problem: MeasuredProblem, sizes: Iterable[int], repeats: int, seed: int, steps: Sequence[Step] = STEPS
) -> CountsOf:
    """Return the counts of one problem by number of candidates and name of the step."""
    counts: dict[tuple[int, str], Counts] = {}
    for size in sizes:
        for step in steps:
            counts[size, step.name] = Counts()
        for repeat in range(repeats):
            drawn = draw_candidates(problem, size, repeat, seed)
            for step in steps:
                counts[size, step.name].add(run_step(problem, drawn, step))
    return counts


def combine(counts_of: Sequence[CountsOf]) -> list[Measures]:
    """Return the measures of several problems together."""
    measures = []
    for size, step in counts_of[0] if counts_of else ():
        total = Counts()
        for counts in counts_of:
            total.add(counts[size, step])
        measures.append(summarize(step, size, total))
    return measures


def draw_candidates(problem: MeasuredProblem, size: int, repeat: int, seed: int) -> Draw:
    """Draw candidates with a shared wrong idea. The same arguments always draw the same candidates."""
    chance = random.Random(f"{seed}/{problem.name}/{size}/{repeat}")
    right = [program for program in problem.programs if program.is_right]
    slow = [program for program in problem.programs if program.is_slow]
    wrong = [program for program in problem.programs if not program.is_right]
    if not right or not wrong:
        raise ValueError(f"{problem.name}: the study needs right and wrong programs")
    idea = chance.choice(wrong)
    share = RIGHT_SHARES[repeat % len(RIGHT_SHARES)]
    candidates = []
    for _ in range(size):
        if chance.random() < share:
            candidates.append(chance.choice(right))
        else:
            candidates.append(idea if chance.random() < SHARED_IDEA else chance.choice(wrong))
    return Draw(candidates, chance.choice(slow) if slow else None, chance.choice(wrong), idea.name)


def run_step(problem: MeasuredProblem, drawn: Draw, step: Step) -> Counts:
    """Vote as one step does, and count what is right."""
    places = _choose_inputs(problem, step)
    programs = list(drawn.candidates)
    roles = [Role.CANDIDATE] * len(programs)
    brute = drawn.wrong_brute if step.brute_is_wrong else drawn.brute
    if step.uses_brute and brute is not None:
        programs.append(brute)
        roles.append(Role.BRUTE)
    kind = "code-judge" if step.policy == voting.X_CODER_POLICY else "tokens"
    agreement = _Selected(problem.agreement if step.checks else BuiltInAgreement(CheckerChoice(kind, {})), places)
    outcome = golden.decide_vote(
        [[program.outcomes[place] for place in places] for program in programs],
        [problem.stdins[place] for place in places],
        [program.code for program in programs],
        agreement,
        step.policy,
        roles=roles,
    )
    labels = {column: label.expected for column, label in enumerate(outcome.labels) if label.expected is not None}
    counts = Counts(votes=1, inputs=len(places), labels=len(labels))
    for column, expected in labels.items():
        counts.right_labels += _is_right(problem, places[column], expected)
    chosen = outcome.golden.index
    counts.golden_right = int(chosen is not None and programs[chosen].is_right)
    passes = {
        places[column]: [_passes(program, places[column], column, expected, agreement) for program in problem.programs]
        for column, expected in labels.items()
    }
    count_programs(problem.programs, passes, counts)
    return counts


class _Selected:
    """An agreement on some of the inputs: a column of the vote is an input of the problem."""

    def __init__(self, agreement: Agreement, places: Sequence[int]) -> None:
        self._agreement = agreement
        self._places = places
        self.is_directed = agreement.is_directed
        self.canonicalize = agreement.canonicalize
        self.allow = agreement.allow
        self.count_cost = agreement.count_cost

    def judge(self, position: int, outcome: Outcome, expected: bytes) -> TestResult:
        return self._agreement.judge(self._places[position], outcome, expected)


def _choose_inputs(problem: MeasuredProblem, step: Step) -> list[int]:
    places = [place for place, truth in enumerate(problem.truths) if truth is not None or not step.validates]
    if step.uses_large:
        return places
    by_size = sorted(range(len(problem.stdins)), key=lambda place: len(problem.stdins[place]))
    small = set(by_size[: max(1, round(SMALL_SHARE * len(by_size)))])
    return [place for place in places if place in small] or places[:1]


def _is_right(problem: MeasuredProblem, place: int, expected: bytes) -> bool:
    truth = problem.truths[place]
    outcome = Outcome(Status.OK, exit_code=0, stdout=expected)
    return truth is not None and problem.agreement.judge(place, outcome, truth).verdict is Verdict.ACCEPTED


def _passes(program: MeasuredProgram, place: int, column: int, expected: bytes, agreement: Agreement) -> bool:
    return agreement.judge(column, program.outcomes[place], expected).verdict is Verdict.ACCEPTED
