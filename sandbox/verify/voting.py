"""A majority of candidate programs labels test inputs, following SynthSmith of X-Coder (arXiv 2601.06953, section 3).

Theory of operation. Every candidate has run once on every input; the outcome matrix holds one row per candidate. Each
input is a separate poll and gets its label as follows:

1. Only runs that ended well vote. If the policy allows one vote per program, candidates that are the same program after
   normalization (`normal_form`) count as one voter. If its runs that ended well disagree with each other, the program
   is not deterministic on this input and abstains.
2. Votes for outputs that agree according to the checker count together. `polls` explains how, also for agreement that
   is not transitive, such as a tolerance. Equal bytes always belong together. The comparisons of outputs are bounded
   (`agreement`), and an input that needs more gets no label (`too_many_outputs`). The bound does not depend on time, so
   a busy machine does not change any label. If a checker program prefers another candidate's output to the winner, the
   input gets no label (`better_output`): the winner is not the best answer.
3. The output with the most votes becomes the label under three conditions: it has `min_votes` votes, its share of all
   votes reaches `quorum`, and it is `margin` votes ahead of the next one. Several outputs with the most votes are a
   tie, which gives no label unless the policy names a tie-break. The tie-break replaces the margin; the shares must
   still suffice.

Nothing here draws random numbers. Random choices are derived from a hash of the seed, so a request has the same answer
on every machine and Python version.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Literal

from sandbox.runner.contract import Outcome, Status
from sandbox.verify.agreement import (
    Agreement,
    AnyChecker,
    CheckerLost,
    TooManyComparisons,
    build_agreement,
)
from sandbox.verify.judge import CheckerChoice
from sandbox.verify.polls import Choice, Poll, count_poll

TieBreak = Literal["none", "first", "smallest", "random"]
Weighting = Literal["uniform", "confidence", "discrimination", "size", "declared", "loo_auc"]
OutcomeMatrix = Sequence[Sequence[Outcome]]

MAX_STORED_BYTES = 128 << 20
TOO_MUCH_OUTPUT_MESSAGE = "the distinct outputs of this vote exceed the memory for outputs"


@dataclass(frozen=True, slots=True)
class Policy:
    """How votes become labels, and how labels determine the golden candidate."""

    quorum: float = 0.5  # share of the votes cast that a label needs
    min_votes: int = 2  # votes that a label needs
    margin: int = 1  # votes by which a label must be ahead of the next output
    tie: TieBreak = "none"
    one_vote_per_program: bool = False
    weights: Weighting = "uniform"
    holdout_fraction: float = 0.3  # of the labelled inputs; rounded, but never all of them
    seed: int = 0
    golden_tie: Literal["fastest", "first"] = "fastest"
    brute_disqualifies: bool = False  # a candidate that a brute program contradicts loses all its votes
    brute_labels: bool = False  # where brute programs finish, their output is the label
    proven_after: int = 0  # inputs after which a candidate that brute programs confirm needs no second vote; 0: never


# The released code of the X-Coder repository: plurality of stripped outputs, and the first of the best candidates.
# X-Coder breaks ties at random; here the lowest index wins, so results are reproducible.
X_CODER_POLICY = Policy(quorum=0.0, min_votes=1, margin=0, tie="first", holdout_fraction=0.0, golden_tie="first")
X_CODER_CHECKER = CheckerChoice("code-judge", {})
PRESETS = {"default": Policy(), "x-coder": X_CODER_POLICY}


class NoLabel(StrEnum):
    """Why an input has no label."""

    NO_VOTES = "no_votes"
    TIE = "tie"
    MIN_VOTES = "min_votes"
    QUORUM = "quorum"
    MARGIN = "margin"
    TOO_MANY_OUTPUTS = "too_many_outputs"
    REFERENCES_DISAGREE = "references_disagree"
    BRUTE_VETO = "brute_veto"
    BETTER_OUTPUT = "better_output"
    CHECKER_UNTRUSTED = "checker_untrusted"
    SERVICE_FAILED = "service_failed"


@dataclass(frozen=True, slots=True)
class Label:
    """The poll for one input. `expected` is None without a label; `votes` are those of the strongest output, out of
    `cast`.

    `transitive` means that outputs were grouped by their canonical forms, so no dissenter's output agrees with the
    label. `objectors` are references and brute programs that disagree with the label, or prevent one (`roles`).
    """

    expected: bytes | None = None
    votes: int = 0
    cast: int = 0
    runner_up: int = 0
    tie: bool = False
    why: NoLabel | None = None
    supporters: tuple[int, ...] = ()
    dissenters: tuple[int, ...] = ()
    abstained: tuple[int, ...] = ()
    transitive: bool = False
    objectors: tuple[int, ...] = ()
    by_reference: bool = False
    by_brute: bool = False

    @property
    def confidence(self) -> float:
        """The largest group's share of the votes cast."""
        return self.votes / self.cast if self.cast else 0.0


def label_inputs(
    matrix: OutcomeMatrix, checker: AnyChecker, policy: Policy, same_as: Sequence[int] | None = None
) -> list[Label]:
    """Label each input from `matrix[candidate][input]`.

    `same_as[candidate]` is the first candidate that is the same program (`normal_form.find_first_equivalents`). It is
    used only under `one_vote_per_program`.
    """
    agreement = build_agreement(checker)
    voters = list(range(len(matrix))) if same_as is None or not policy.one_vote_per_program else list(same_as)
    inputs = len(matrix[0]) if matrix else 0
    return [
        _label_input([row[position] for row in matrix], agreement, policy, voters, position)
        for position in range(inputs)
    ]


def withhold_labels(matrix: OutcomeMatrix, why: NoLabel) -> list[Label]:
    """Return labels that give no input a label, for the same reason."""
    inputs = len(matrix[0]) if matrix else 0
    columns = [[row[position] for row in matrix] for position in range(inputs)]
    return [
        _build_uncompared_label(
            len(column), [index for index, outcome in enumerate(column) if not outcome.ended_well], why
        )
        for column in columns
    ]


def _label_input(
    outcomes: Sequence[Outcome], agreement: Agreement, policy: Policy, voters: Sequence[int], position: int
) -> Label:
    failed = [index for index, outcome in enumerate(outcomes) if not outcome.ended_well]
    try:
        poll = count_poll(outcomes, agreement, voters, position)
        return _decide_label(poll, outcomes, failed, policy, f"{policy.seed}:tie:{position}")
    except TooManyComparisons:
        return _build_uncompared_label(len(outcomes), failed, NoLabel.TOO_MANY_OUTPUTS)
    except CheckerLost:
        return _build_uncompared_label(len(outcomes), failed, NoLabel.SERVICE_FAILED)


def _decide_label(
    poll: Poll, outcomes: Sequence[Outcome], failed: Sequence[int], policy: Policy, seed_text: str
) -> Label:
    absent = tuple(sorted({*failed, *poll.abstained}))
    voting = sorted({*range(len(outcomes))} - {*absent})
    if not poll.choices:
        return Label(why=NoLabel.NO_VOTES, cast=poll.cast, dissenters=tuple(voting), abstained=absent)
    ranked = sorted(poll.choices, key=lambda choice: -choice.votes)  # stable: among equals, the first member decides
    tied = [choice for choice in ranked if choice.votes == ranked[0].votes]
    runner_up = ranked[1].votes if len(ranked) > 1 else 0
    winner = _break_tie(tied, policy.tie, seed_text)
    why = _find_refusal(winner.votes, poll.cast, runner_up, len(tied) > 1, policy)
    dissenters = [index for index in voting if index not in winner.members]
    if why is None and poll.comparisons is not None:
        others = dict.fromkeys(outcomes[index].stdout for index in dissenters)
        if any(poll.comparisons.is_better(output, winner.output) for output in others):
            why = NoLabel.BETTER_OUTPUT
    return Label(
        expected=None if why else winner.output,
        votes=winner.votes,
        cast=poll.cast,
        runner_up=runner_up,
        tie=len(tied) > 1,
        why=why,
        supporters=tuple(winner.members),
        dissenters=tuple(dissenters),
        abstained=absent,
        transitive=poll.comparisons is None,
    )


def _build_uncompared_label(candidates: int, failed: Sequence[int], why: NoLabel) -> Label:
    """Build the label of an input whose outputs could not be compared: every run that ended well dissents."""
    cast = tuple(sorted({*range(candidates)} - {*failed}))
    return Label(why=why, cast=len(cast), dissenters=cast, abstained=tuple(failed))


def _break_tie(tied: Sequence[Choice], tie_break: TieBreak, seed_text: str) -> Choice:
    if tie_break == "smallest":
        return min(tied, key=lambda choice: choice.output)
    if tie_break == "random":
        return min(tied, key=lambda choice: compute_seeded_hash(f"{seed_text}:{choice.members[0]}"))
    return tied[0]


def _find_refusal(votes: int, cast: int, runner_up: int, tied: bool, policy: Policy) -> NoLabel | None:
    if tied and policy.tie == "none":
        return NoLabel.TIE
    if votes < policy.min_votes:
        return NoLabel.MIN_VOTES
    if votes < policy.quorum * cast:
        return NoLabel.QUORUM
    if not tied and votes - runner_up < policy.margin:
        return NoLabel.MARGIN
    return None


def compute_seeded_hash(seed_text: str) -> bytes:
    """Return a pseudo-random value: a hash of the text, the same on every machine."""
    return sha256(seed_text.encode()).digest()


class OutputInterner:
    """Keeps one copy of each output: candidates that agree print the same bytes, up to 4 MiB each.

    Stored output is bounded, because all outputs of a vote stay in memory until it is counted. Distinct outputs take at
    most `MAX_STORED_BYTES` in total. Those that a single candidate prints first take at most a quarter of that. A run
    beyond either bound counts as having exceeded its output limit.
    """

    def __init__(self) -> None:
        self._seen: dict[bytes, bytes] = {}
        self._left_bytes = MAX_STORED_BYTES
        self._candidate_left_bytes = 0

    def begin_candidate(self) -> None:
        self._candidate_left_bytes = MAX_STORED_BYTES // 4

    def intern_outcome(self, outcome: Outcome) -> Outcome:
        """Reduce an outcome to what a vote needs: shared stdout, no stderr, no files, no output of a failed run."""
        status, message, stored = outcome.status, outcome.message, b""
        if outcome.ended_well:
            found = self._seen.get(outcome.stdout)
            if found is not None or self._store(outcome.stdout):
                stored = outcome.stdout if found is None else found
            else:
                status, message = Status.OUTPUT_LIMIT_EXCEEDED, TOO_MUCH_OUTPUT_MESSAGE
        return Outcome(
            status,
            exit_code=outcome.exit_code,
            signal=outcome.signal,
            stdout=stored,
            usage=outcome.usage,
            message=message,
        )

    def _store(self, output: bytes) -> bool:
        """Store a new output if there is room for it."""
        if len(output) > min(self._left_bytes, self._candidate_left_bytes):
            return False
        self._left_bytes -= len(output)
        self._candidate_left_bytes -= len(output)
        self._seen[output] = output
        return True
