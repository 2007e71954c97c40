"""How good are voted labels and golden candidates? A simulation on problems whose truth is known.

Each problem has 20 inputs with one right output each, and three misconceptions that wrong candidates share: most of the
wrong candidates hold one of them, and print the same wrong outputs; the others are wrong in their own way. A wrong
candidate is wrong on some inputs only, crashes on some, and is right on the rest. How many candidates are wrong
differs from problem to problem (beta, mean = error rate): on a hard problem most are, and there a vote goes wrong
however many vote.

The same problems and candidates are voted on with the first 4, 8, 16 and 32 candidates, by the functions that serve
`POST /verify/vote`. Run `python -m loadtest.vote_study`: it writes `results/vote_study.json` and `.png`. Seeded: it
repeats.

The published figures are the X-Coder repository's, on 500 TACO problems with real candidates, whose error rate it
does not state; so they stand beside the curves by n, not on one of them.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sandbox.runner.contract import Outcome, Status
from sandbox.verify.golden import VoteOutcome, decide_vote
from sandbox.verify.judge import CheckerChoice
from sandbox.verify.voting import X_CODER_CHECKER, X_CODER_POLICY, Policy

RESULTS = Path(__file__).parent / "results"
CANDIDATE_COUNTS = (4, 8, 16, 32)
ERROR_RATES = (0.05, 0.10, 0.20, 0.30, 0.40, 0.50, 0.60)
INPUT_COUNT = 20
MISCONCEPTION_COUNT = 3
SHARED_SHARE = 0.6  # of the wrong candidates hold a misconception others hold too
CRASH_SHARE = 0.1  # of a wrong candidate's failures are crashes
CONCENTRATION = 0.8  # of the beta: low, so problems differ much in how many candidates are wrong

TOKENS = CheckerChoice("tokens", {})
DEFAULT = Policy()
POLICIES = {
    "x-coder": (X_CODER_CHECKER, X_CODER_POLICY),
    "uniform": (TOKENS, DEFAULT),
    "confidence": (TOKENS, replace(DEFAULT, weights="confidence")),
    "discrimination": (TOKENS, replace(DEFAULT, weights="discrimination")),
    "discrimination, no hold-out": (TOKENS, replace(DEFAULT, weights="discrimination", holdout_fraction=0.0)),
}
# https://github.com/JieWu02/X-Coder data-recipe/test_generation/accuracy_reports.md
PUBLISHED_LABELS = {4: 91.75, 8: 92.08, 16: 92.47}
PUBLISHED_GOLDEN = {4: 84.2, 8: 85.0, 16: 85.8}


@dataclass(frozen=True)
class Problem:
    """What is right on each input, and how each candidate ended there."""

    truth: list[bytes]
    outcomes: list[list[Outcome]]


@dataclass
class Tally:
    """Counts over problems; every share is of these."""

    problems: int = 0
    inputs: int = 0
    labelled: int = 0
    right: int = 0
    golden_right: int = 0
    accepted: int = 0
    accepted_right: int = 0

    def add(self, problem: Problem, vote_outcome: VoteOutcome) -> None:
        pairs = list(zip(vote_outcome.labels, problem.truth, strict=True))
        self.problems += 1
        self.inputs += len(pairs)
        self.labelled += sum(label.expected is not None for label, _ in pairs)
        self.right += sum(label.expected == truth for label, truth in pairs)
        index = vote_outcome.golden.index
        full_pass = index is not None and [run.stdout for run in problem.outcomes[index]] == problem.truth
        self.golden_right += full_pass
        self.accepted += vote_outcome.golden.accepted
        self.accepted_right += full_pass and vote_outcome.golden.accepted

    def compute_shares(self) -> dict[str, float]:
        return {
            "label_accuracy": compute_percent(self.right, self.inputs),
            "labelled": compute_percent(self.labelled, self.inputs),
            "label_accuracy_of_labelled": compute_percent(self.right, self.labelled),
            "golden_full_pass": compute_percent(self.golden_right, self.problems),
            "accepted": compute_percent(self.accepted, self.problems),
            "golden_full_pass_of_accepted": compute_percent(self.accepted_right, self.accepted),
        }


def compute_percent(part: int, whole: int) -> float:
    return round(100 * part / whole, 2) if whole else 0.0


def make_problem(dice: random.Random, error_rate: float) -> Problem:
    wrong_share = dice.betavariate(error_rate * CONCENTRATION, (1 - error_rate) * CONCENTRATION)
    truth = [b"%d" % position for position in range(INPUT_COUNT)]
    right = [Outcome(Status.OK, exit_code=0, stdout=output) for output in truth]
    shared = [make_wrong(dice, right, f"shared {number}") for number in range(MISCONCEPTION_COUNT)]
    outcomes = []
    for candidate in range(max(CANDIDATE_COUNTS)):
        if dice.random() >= wrong_share:
            outcomes.append(right)
        elif dice.random() < SHARED_SHARE:
            # misconceptions are not equally common: the first is twice as common as the next, and so on
            outcomes.append(dice.choices(shared, weights=[4, 2, 1])[0])
        else:
            outcomes.append(make_wrong(dice, right, f"candidate {candidate}"))
    return Problem(truth, outcomes)


def make_wrong(dice: random.Random, right: Sequence[Outcome], name: str) -> list[Outcome]:
    """A program that is wrong on at least one input: on a few, or on most."""
    share = dice.betavariate(0.8, 1.0)
    failing = {position for position in range(len(right)) if dice.random() < share} or {dice.randrange(len(right))}
    return [
        make_failure(dice, f"{name} on {position}") if position in failing else run
        for position, run in enumerate(right)
    ]


def make_failure(dice: random.Random, output: str) -> Outcome:
    if dice.random() < CRASH_SHARE:
        return Outcome(Status.RUNTIME_ERROR, exit_code=1)
    # outputs have no white space, so that every checker sees one wrong token
    return Outcome(Status.OK, exit_code=0, stdout=output.replace(" ", "_").encode())


def run_study(problems: int, seed: int) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    inputs = [b"%d" % position for position in range(INPUT_COUNT)]
    for error_rate in ERROR_RATES:
        dice = random.Random(f"{seed} {error_rate}")
        made = [make_problem(dice, error_rate) for _ in range(problems)]
        for size in CANDIDATE_COUNTS:
            for name, (checker, policy) in POLICIES.items():
                tally = Tally()
                for problem in made:
                    tally.add(problem, decide_vote(problem.outcomes[:size], inputs, [""] * size, checker, policy))
                rows.append({"policy": name, "n": size, "error_rate": error_rate, **tally.compute_shares()})
        print(f"error rate {error_rate:.0%} done", flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--redraw", action="store_true", help="only draw the picture, from the numbers that are there")
    options = parser.parse_args()
    numbers = RESULTS / "vote_study.json"
    if not options.redraw:
        RESULTS.mkdir(exist_ok=True)
        rows = run_study(options.problems, options.seed)
        about = {"problems": options.problems, "inputs": INPUT_COUNT, "seed": options.seed, "unit": "percent"}
        published = {"label_accuracy": PUBLISHED_LABELS, "golden_full_pass": PUBLISHED_GOLDEN}
        lines = ",\n".join(f"  {json.dumps(row)}" for row in rows)
        head = f'"about": {json.dumps(about)},\n"published": {json.dumps(published)}'
        numbers.write_text(f'{{{head},\n"rows": [\n{lines}\n]}}\n', encoding="utf-8")
    from loadtest.vote_study_plots import draw  # matplotlib is needed for the picture only

    draw(json.loads(numbers.read_text(encoding="utf-8")), RESULTS / "vote_study.png")


if __name__ == "__main__":
    main()
