"""A majority of candidate programs labels test inputs, following SynthSmith of X-Coder (arXiv 2601.06953, section 3).

Theory of operation. Every candidate has run once on every input; the outcome matrix holds one row per candidate. Each
input is a separate poll and gets its label as follows:

1. Only runs that ended well vote. If the policy allows one vote per program, candidates that are the same program after
   normalization (`normal_form`) count as one voter. If its runs that ended well disagree with each other, the program
   is not deterministic on this input and abstains.
2. Votes are grouped by the checker's equivalence. If agreement is transitive, each output is read once, and outputs
   with the same canonical form (`checkers.canonicalize`) form a group. Not every rule is transitive (0, 0.9 and 1.8
   under a tolerance of 1), so the order is fixed. Candidates vote in order of their index. The checker compares each
   output with that of a group's first member, as the expected output. The candidate joins the first group that the
   checker accepts, or starts a new group. The output of a group is that of its first member. Equal bytes always belong
   together. Comparing outputs pair by pair is bounded: all comparisons for one input may read `READ_FACTOR` times the
   bytes of its distinct outputs, plus `READ_FREE_BYTES`; common prefixes are free. An input that needs more gets no
   label (`too_many_outputs`). The bound counts bytes instead of seconds, so a busy machine does not change any label.
3. The largest group becomes the label under three conditions: it has `min_votes` votes, its share of all votes reaches
   `quorum`, and it is `margin` votes ahead of the next group. Several largest groups are a tie, which gives no label
   unless the policy names a tie-break. The tie-break replaces the margin; the shares must still suffice.

Nothing here draws random numbers. Random choices are derived from a hash of the seed, so a request has the same answer
on every machine and Python version.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Literal

from sandbox.runner.contract import Outcome, Status
from sandbox.verify import checkers
from sandbox.verify.checkers.block_reader import count_common_prefix
from sandbox.verify.judge import CheckerChoice

TieBreak = Literal["none", "first", "smallest", "random"]
Weighting = Literal["uniform", "confidence", "discrimination", "size", "declared"]
OutcomeMatrix = Sequence[Sequence[Outcome]]

READ_FACTOR, READ_FREE_BYTES = 4, 8 << 20
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


@dataclass(frozen=True, slots=True)
class Label:
    """The poll for one input. `expected` is None without a label; `votes` are those of the largest group, out of
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

    @property
    def confidence(self) -> float:
        """The largest group's share of the votes cast."""
        return self.votes / self.cast if self.cast else 0.0


@dataclass(slots=True)
class _Group:
    """Candidates whose outputs agree with that of the first. `votes` counts voters, each of which may be several
    candidates.
    """

    output: bytes
    members: list[int] = field(default_factory=list)
    votes: int = 0


def label_inputs(
    matrix: OutcomeMatrix, checker: CheckerChoice, policy: Policy, same_as: Sequence[int] | None = None
) -> list[Label]:
    """Label each input from `matrix[candidate][input]`.

    `same_as[candidate]` is the first candidate that is the same program (`normal_form.find_first_equivalents`). It is
    used only under `one_vote_per_program`.
    """
    voters = list(range(len(matrix))) if same_as is None or not policy.one_vote_per_program else list(same_as)
    inputs = len(matrix[0]) if matrix else 0
    return [
        _label_input([row[position] for row in matrix], checker, policy, voters, f"{policy.seed}:tie:{position}")
        for position in range(inputs)
    ]


def _label_input(
    outcomes: Sequence[Outcome], checker: CheckerChoice, policy: Policy, voters: Sequence[int], seed_text: str
) -> Label:
    failed = [index for index, outcome in enumerate(outcomes) if not outcome.ended_well]
    grouped = _group_outputs(outcomes, checker)
    if grouped is None:
        return _build_uncompared_label(len(outcomes), failed)
    groups, abstained = _count_votes(grouped, voters)
    absent = tuple(sorted({*failed, *abstained}))
    if not groups:
        return Label(why=NoLabel.NO_VOTES, abstained=absent)
    ranked = sorted(groups, key=lambda group: -group.votes)  # stable: among equals, the group started first
    tied = [group for group in ranked if group.votes == ranked[0].votes]
    cast, runner_up = sum(group.votes for group in groups), ranked[1].votes if len(ranked) > 1 else 0
    winner = _break_tie(tied, policy.tie, seed_text)
    why = _find_refusal(winner.votes, cast, runner_up, len(tied) > 1, policy)
    return Label(
        expected=None if why else winner.output,
        votes=winner.votes,
        cast=cast,
        runner_up=runner_up,
        tie=len(tied) > 1,
        why=why,
        supporters=tuple(winner.members),
        dissenters=tuple(sorted(index for group in groups if group is not winner for index in group.members)),
        abstained=absent,
        transitive=checkers.canonicalize(checker.kind, b"", **checker.options) is not None,
    )


def _build_uncompared_label(candidates: int, failed: Sequence[int]) -> Label:
    """Build the label of an input with too many outputs to compare: every run that ended well dissents."""
    cast = tuple(sorted({*range(candidates)} - {*failed}))
    return Label(why=NoLabel.TOO_MANY_OUTPUTS, cast=len(cast), dissenters=cast, abstained=tuple(failed))


def _group_outputs(outcomes: Sequence[Outcome], checker: CheckerChoice) -> list[_Group] | None:
    """Group the outputs in order of their first members; return None if comparing all of them would take too long."""
    groups: list[_Group] = []
    of_bytes: dict[bytes, _Group] = {}
    of_form: dict[bytes, _Group] = {}
    left = READ_FREE_BYTES + READ_FACTOR * sum(map(len, {outcome.stdout for outcome in outcomes if outcome.ended_well}))
    for index, outcome in enumerate(outcomes):
        if not outcome.ended_well:
            continue
        group = of_bytes.get(outcome.stdout)
        if group is None:
            form = checkers.canonicalize(checker.kind, outcome.stdout, **checker.options)
            if form is not None:
                group = of_form.setdefault(sha256(form).digest(), _Group(outcome.stdout))
            else:
                for known in groups:
                    left -= _count_bytes_to_read(outcome.stdout, known.output)
                    if left < 0:
                        return None
                    if outputs_agree(checker, outcome.stdout, known.output):
                        group = known
                        break
                group = group or _Group(outcome.stdout)
            if not group.members:
                groups.append(group)
            of_bytes[outcome.stdout] = group
        group.members.append(index)
    return groups


def _count_bytes_to_read(one: bytes, other: bytes) -> int:
    return len(one) + len(other) - 2 * count_common_prefix(one, other)


def outputs_agree(checker: CheckerChoice, output: bytes, expected: bytes) -> bool:
    """Return whether the checker accepts `output` for `expected`. A checker that fails does not accept it."""
    return checkers.check(checker.kind, output, expected, **checker.options).accepted


def _count_votes(groups: list[_Group], voters: Sequence[int]) -> tuple[list[_Group], list[int]]:
    """Count each voter once. Return the groups with votes, and the candidates that abstain.

    A program abstains if it is not deterministic on this input.
    """
    ballots: dict[int, list[_Group]] = {}
    for group in groups:
        for voter in {voters[member] for member in group.members}:
            ballots.setdefault(voter, []).append(group)
    undecided = {voter for voter, chosen in ballots.items() if len(chosen) > 1}
    abstained = [member for group in groups for member in group.members if voters[member] in undecided]
    for group in groups:
        group.members = [member for member in group.members if voters[member] not in undecided]
        group.votes = len({voters[member] for member in group.members})
    return [group for group in groups if group.votes], abstained


def _break_tie(tied: Sequence[_Group], tie_break: TieBreak, seed_text: str) -> _Group:
    if tie_break == "smallest":
        return min(tied, key=lambda group: group.output)
    if tie_break == "random":
        return min(tied, key=lambda group: compute_seeded_hash(f"{seed_text}:{group.members[0]}"))
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
