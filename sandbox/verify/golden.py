"""The golden candidate: the best one on the labeled tests, confirmed by tests that were not used to choose it.

Theory of operation, once the labels exist (`voting`):

1. Each cell of the matrix gets a verdict. A run that ended well is accepted or wrong_answer according to its input's
   label, or `skipped` if there is no label. Any other run keeps its status as its verdict. Candidates that voted for
   the label are accepted. If the checker's agreement is transitive, all others are wrong; otherwise their outputs are
   judged.
2. Labeled inputs get weights. `uniform`: 1. `confidence`: the label's share of the votes. `discrimination`: 4 p (1 -
   p), where p is the share of candidates that pass. It is 1 if half of them pass and 0 if all or none do; if it is 0
   for every input, the weights are uniform. `size`: 1 + log2(1 + bytes of input). `declared`: the weights of the
   request. `loo_auc`: how well the test agrees with the other selection tests about which candidates are better
   (`loo_auc`); if no test ranks the candidates, the weights are uniform.
3. The labeled inputs are split pseudo-randomly, by the seed. `holdout_fraction` of them, rounded, are held out: at
   least one if there are two or more, but never all, because the selection part must not be empty.
4. The candidate with the highest weighted share of passes on the selection part is golden. Among equals, the fastest by
   CPU time wins. CPU times that differ by less than half, or by 20 ms per run, count as equal. Otherwise noise would
   decide, and the answer would not be reproducible. After that, the shortest source wins, then the lowest index. A
   candidate that passes nothing is not golden.
5. It is accepted if it passes every held-out test. If the policy asks for a hold-out but there is none (fewer than two
   labels), nothing is confirmed, and it is not accepted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from sandbox.runner.contract import Outcome, Verdict
from sandbox.verify.agreement import (
    Agreement,
    AnyChecker,
    CheckerLost,
    TooManyComparisons,
    build_agreement,
)
from sandbox.verify.loo_auc import weigh_by_loo_auc
from sandbox.verify.roles import Role, find_disqualified, label_by_roles
from sandbox.verify.voting import Label, OutcomeMatrix, Policy, compute_seeded_hash

SAME_SPEED_FACTOR = 1.5
SAME_SPEED_S = 0.02


@dataclass(frozen=True, slots=True)
class CandidateScore:
    """The result of one candidate: its weighted share of passes on the selection part, and its passes on each part."""

    score: float
    selection_passed: int
    holdout_passed: int
    cpu_time_s: float


class TieBreak(StrEnum):
    """The first property that set the golden candidate apart from the others with its score."""

    CPU_TIME = "cpu_time"
    LENGTH = "length"
    INDEX = "index"


@dataclass(frozen=True, slots=True)
class GoldenCandidate:
    """The chosen candidate, or none. `accepted` means that the hold-out confirms it.

    `tied` counts the candidates with its score. `tie_break` is None if there is only one.
    """

    index: int | None
    score: float
    holdout_passed: int
    holdout_total: int
    accepted: bool
    tied: int = 0
    tie_break: TieBreak | None = None


@dataclass(frozen=True, slots=True)
class VoteOutcome:
    """The result of a vote. `selection` and `holdout` are input positions; `weights` holds one weight per input (0
    without a label). `disqualified` are candidates that a brute program contradicts (`roles`).
    """

    labels: list[Label]
    verdicts: list[list[Verdict]]
    weights: list[float]
    selection: list[int]
    holdout: list[int]
    candidate_scores: list[CandidateScore]
    golden: GoldenCandidate
    disqualified: list[int] = field(default_factory=list)


def decide_vote(
    matrix: OutcomeMatrix,
    inputs: Sequence[bytes],
    sources: Sequence[str],
    checker: AnyChecker,
    policy: Policy,
    *,
    same_as: Sequence[int] | None = None,
    declared: Sequence[float] | None = None,
    roles: Sequence[Role] | None = None,
    labels: list[Label] | None = None,
) -> VoteOutcome:
    """Label the inputs and choose the golden candidate.

    `matrix[candidate][input]` is how each run ended. `same_as` is used by `one_vote_per_program`. `declared` holds one
    weight for each input, which the weighting `declared` uses. `roles` has one role for each program; the default is
    that all are candidates. `labels` replaces the labels of the vote.
    """
    roles = [Role.CANDIDATE] * len(matrix) if roles is None else roles
    disqualified = [] if labels is not None else find_disqualified(matrix, roles, checker, policy)
    eligible = [index for index, role in enumerate(roles) if role is Role.CANDIDATE and index not in disqualified]
    labels = label_by_roles(matrix, roles, checker, policy, same_as) if labels is None else labels
    verdicts = _judge_matrix(matrix, labels, build_agreement(checker))
    selection, holdout = split(
        [position for position, label in enumerate(labels) if label.expected is not None], policy
    )
    candidate_verdicts = [verdicts[index] for index in eligible]
    weights = _compute_weights(policy, labels, candidate_verdicts, inputs, declared, selection)
    candidate_scores = [
        _score_candidate(row, outcomes, weights, selection, holdout)
        for row, outcomes in zip(verdicts, matrix, strict=True)
    ]
    golden = _choose_golden(candidate_scores, eligible, sources, len(selection), len(holdout), policy)
    return VoteOutcome(labels, verdicts, weights, selection, holdout, candidate_scores, golden, disqualified)


def _judge_matrix(matrix: OutcomeMatrix, labels: Sequence[Label], agreement: Agreement) -> list[list[Verdict]]:
    verdicts = [[Verdict.SKIPPED] * len(labels) for _ in matrix]
    for position, label in enumerate(labels):
        known = dict.fromkeys(label.dissenters, Verdict.WRONG_ANSWER) if label.transitive else {}
        known |= dict.fromkeys(label.supporters, Verdict.ACCEPTED)
        for index, row in enumerate(matrix):
            outcome = row[position]
            if outcome.ended_well and label.expected is None:
                continue
            try:
                verdict = known.get(index) or agreement.judge(position, outcome, label.expected or b"").verdict
            except (CheckerLost, TooManyComparisons):
                verdict = Verdict.INTERNAL_ERROR
            verdicts[index][position] = verdict
    return verdicts


def split(labelled: Sequence[int], policy: Policy) -> tuple[list[int], list[int]]:
    """Split into selection and hold-out, each in order of position."""
    wanted = round(policy.holdout_fraction * len(labelled))
    held = min(max(wanted, 1 if policy.holdout_fraction > 0 else 0), max(len(labelled) - 1, 0))
    shuffled = sorted(labelled, key=lambda position: compute_seeded_hash(f"{policy.seed}:holdout:{position}"))
    return sorted(shuffled[held:]), sorted(shuffled[:held])


def _compute_weights(
    policy: Policy,
    labels: Sequence[Label],
    verdicts: Sequence[Sequence[Verdict]],
    inputs: Sequence[bytes],
    declared: Sequence[float] | None,
    selection: Sequence[int],
) -> list[float]:
    labelled = [label.expected is not None for label in labels]
    if policy.weights == "confidence":
        weights = [label.confidence for label in labels]
    elif policy.weights == "discrimination":
        weights = [_compute_discrimination([row[position] for row in verdicts]) for position in range(len(labels))]
    elif policy.weights == "size":
        weights = [1 + math.log2(1 + len(data)) for data in inputs]
    elif policy.weights == "loo_auc" and verdicts:
        passes = [[verdict is Verdict.ACCEPTED for verdict in row] for row in verdicts]
        weights = weigh_by_loo_auc(passes, selection)
    elif policy.weights == "declared" and declared is not None:
        weights = list(declared)
    else:
        weights = [1.0] * len(labels)
    weights = [weight if there else 0.0 for weight, there in zip(weights, labelled, strict=True)]
    return weights if any(weights) else [float(there) for there in labelled]


def _compute_discrimination(column: Sequence[Verdict]) -> float:
    share = sum(verdict is Verdict.ACCEPTED for verdict in column) / max(len(column), 1)
    return 4 * share * (1 - share)


def _score_candidate(
    verdicts: Sequence[Verdict],
    outcomes: Sequence[Outcome],
    weights: Sequence[float],
    selection: Sequence[int],
    holdout: Sequence[int],
) -> CandidateScore:
    passed = [position for position in selection if verdicts[position] is Verdict.ACCEPTED]
    total = math.fsum(weights[position] for position in selection)
    gained = math.fsum(weights[position] for position in passed)
    return CandidateScore(
        score=gained / total if total else len(passed) / max(len(selection), 1),
        selection_passed=len(passed),
        holdout_passed=sum(verdicts[position] is Verdict.ACCEPTED for position in holdout),
        cpu_time_s=math.fsum(outcomes[position].usage.cpu_time_s for position in selection),
    )


def _choose_golden(
    candidate_scores: Sequence[CandidateScore],
    eligible: Sequence[int],
    sources: Sequence[str],
    selection_size: int,
    holdout_size: int,
    policy: Policy,
) -> GoldenCandidate:
    passing = [index for index in eligible if candidate_scores[index].selection_passed]
    best = max((candidate_scores[index].score for index in passing), default=None)
    if best is None:
        return GoldenCandidate(None, 0.0, 0, holdout_size, accepted=False)
    equals = [index for index in passing if candidate_scores[index].score == best]
    chosen, tie_break = _break_tie(equals, candidate_scores, sources, selection_size, policy)
    winner = candidate_scores[chosen]
    proved = holdout_size > 0 or policy.holdout_fraction == 0
    accepted = proved and winner.holdout_passed == holdout_size
    return GoldenCandidate(
        chosen, winner.score, winner.holdout_passed, holdout_size, accepted, tied=len(equals), tie_break=tie_break
    )


def _break_tie(
    equals: Sequence[int],
    candidate_scores: Sequence[CandidateScore],
    sources: Sequence[str],
    selection_size: int,
    policy: Policy,
) -> tuple[int, TieBreak | None]:
    """Choose one of the candidates with the best score, and return the property that decided."""
    if len(equals) == 1:
        return equals[0], None
    if policy.golden_tie == "first":
        return equals[0], TieBreak.INDEX
    fast = _select_fastest(equals, candidate_scores, selection_size)
    if len(fast) == 1:
        return fast[0], TieBreak.CPU_TIME
    shortest = min(len(sources[index]) for index in fast)
    short = [index for index in fast if len(sources[index]) == shortest]
    return short[0], TieBreak.LENGTH if len(short) == 1 else TieBreak.INDEX


def _select_fastest(equals: Sequence[int], candidate_scores: Sequence[CandidateScore], run_count: int) -> list[int]:
    least = min(candidate_scores[index].cpu_time_s for index in equals)
    limit = max(least * SAME_SPEED_FACTOR, least + SAME_SPEED_S * run_count)
    return [index for index in equals if candidate_scores[index].cpu_time_s <= limit]
