"""Simulate votes on problems with known answers, to see how good voted labels and golden candidates are.

Each problem has 20 inputs with one correct output each, and three misconceptions. Most wrong candidates share a
misconception and print the same wrong outputs; the others are wrong in their own way. A wrong candidate is wrong on
some inputs, crashes on some, and is correct on the rest. The share of wrong candidates varies between problems (beta,
mean = error rate). On a hard problem most candidates are wrong, and a vote fails no matter how many take part.

The same problems are voted on with the first 4, 8, 16 and 32 candidates, by the functions behind `POST /verify/vote`.
`python -m loadtest.simulated_votes` writes `results/simulated_votes.json` and `.png`. It is seeded, so results are
reproducible.

`sandbox problem study` compares votes on real programs instead. Those have the errors that programs really have, but
there are too few of them to vary the error rate, and their number beyond 16.

The published figures are from the X-Coder repository, on 500 TACO problems with real candidates. It does not state
their error rate, so the figures are plotted by n next to the curves.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sandbox.problems.vote_measures import PUBLISHED
from sandbox.runner.contract import Outcome, Status
from sandbox.verify.golden import VoteOutcome, decide_vote
from sandbox.verify.judge import CheckerChoice
from sandbox.verify.voting import X_CODER_CHECKER, X_CODER_POLICY, Policy

RESULTS = Path(__file__).parent / "results"
CANDIDATE_COUNTS = (4, 8, 16, 32)
ERROR_RATES = (0.05, 0.10, 0.20, 0.30, 0.40, 0.50, 0.60)
INPUT_COUNT = 20
MISCONCEPTION_COUNT = 3
SHARED_SHARE = 0.6  # of the wrong candidates share a misconception
CRASH_SHARE = 0.1  # of a wrong candidate's failures
CONCENTRATION = 0.8  # of the beta; low, so that the share of wrong candidates varies widely

TOKENS = CheckerChoice("tokens", {})
DEFAULT = Policy()
POLICIES = {
    "x-coder": (X_CODER_CHECKER, X_CODER_POLICY),
    "uniform": (TOKENS, DEFAULT),
    "confidence": (TOKENS, replace(DEFAULT, weights="confidence")),
    "discrimination": (TOKENS, replace(DEFAULT, weights="discrimination")),
    "discrimination, no hold-out": (TOKENS, replace(DEFAULT, weights="discrimination", holdout_fraction=0.0)),
}


@dataclass(frozen=True)
class Problem:
    """The correct outputs, and the outcome of each candidate on each input."""

    truth: list[bytes]
    outcomes: list[list[Outcome]]


@dataclass
class Tally:
    """Counts over problems, from which all shares are computed."""

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
            # misconceptions are not equally common: each is twice as common as the next
            outcomes.append(dice.choices(shared, weights=[4, 2, 1])[0])
        else:
            outcomes.append(make_wrong(dice, right, f"candidate {candidate}"))
    return Problem(truth, outcomes)


def make_wrong(dice: random.Random, right: Sequence[Outcome], name: str) -> list[Outcome]:
    """Make a candidate that is wrong on at least one input: on a few, or on most."""
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


def list_published(measure: str) -> dict[int, float]:
    """Return the published percentages of a measure by number of candidates."""
    return {
        figure.candidates: round(100 * figure.share, 2)
        for figure in PUBLISHED
        if figure.measure == measure and figure.candidates
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--redraw", action="store_true", help="only redraw the plot from the existing numbers")
    options = parser.parse_args()
    numbers = RESULTS / "simulated_votes.json"
    if not options.redraw:
        RESULTS.mkdir(exist_ok=True)
        rows = run_study(options.problems, options.seed)
        about = {"problems": options.problems, "inputs": INPUT_COUNT, "seed": options.seed, "unit": "percent"}
        published = {measure: list_published(measure) for measure in ("label_accuracy", "golden_full_pass")}
        lines = ",\n".join(f"  {json.dumps(row)}" for row in rows)
        head = f'"about": {json.dumps(about)},\n"published": {json.dumps(published)}'
        numbers.write_text(f'{{{head},\n"rows": [\n{lines}\n]}}\n', encoding="utf-8")
    from loadtest.simulated_votes_plots import draw  # only the plot needs matplotlib

    draw(json.loads(numbers.read_text(encoding="utf-8")), RESULTS / "simulated_votes.png")


if __name__ == "__main__":
    main()
