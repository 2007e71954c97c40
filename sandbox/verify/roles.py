"""Roles of the programs in a vote: which vote, which are trusted, and which must fail.

Theory of operation. `voting` labels each input from the programs that vote (`candidate` and `brute`). Then:

1. References decide. If those that ended well agree according to the checker, their output is the label, regardless of
   the votes. If they disagree, the input has no label (`references_disagree`). If none ended well, the votes decide.
2. A `brute` program, which is slow but simple, has a veto on the inputs that it finishes: a label by votes with which
   it disagrees is removed (`brute_veto`). It has no veto against references.
3. With the policy's `brute_disqualifies`, a candidate whose output disagrees with that of a brute program on any input
   loses its vote on all inputs, and cannot be golden: it is wrong, also where the brute program does not finish. If
   brute programs disagree with each other on an input, this input disqualifies nobody.
4. With `brute_labels`, the output of the brute programs is the label of each input that they finish, without a vote,
   unless they disagree with each other. A few right candidates, or none, are then enough for small inputs.
5. With `proven_after`, a candidate is proven if it is right on every input that a brute program finishes, and there are
   at least that many. If nobody disagrees with a proven candidate on another input, its output is the label, even with
   fewer than `min_votes` votes. With four candidates, there is often only one right one.
6. `wrong` and `slow` programs never vote. A wrong program must fail on some input, and a slow program must exceed the
   time limit on some input; `check_role` returns whether they do.

Only candidates may be golden.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum

from sandbox.runner.contract import Outcome, Status, Verdict
from sandbox.verify.agreement import Agreement, AnyChecker, CheckerLost, TooManyComparisons, build_agreement
from sandbox.verify.brute_programs import find_answers, find_contradicted, find_proven
from sandbox.verify.judge import UNDECIDED_VERDICTS
from sandbox.verify.voting import Label, NoLabel, OutcomeMatrix, Policy, label_inputs


class Role(StrEnum):
    """The part that a program plays in a vote."""

    CANDIDATE = "candidate"
    REFERENCE = "reference"
    BRUTE = "brute"
    WRONG = "wrong"
    SLOW = "slow"


VOTING_ROLES = frozenset({Role.CANDIDATE, Role.BRUTE})
_NO_VOTE = Outcome(Status.RUNTIME_ERROR)


def label_by_roles(
    matrix: OutcomeMatrix,
    roles: Sequence[Role],
    checker: AnyChecker,
    policy: Policy,
    same_as: Sequence[int] | None = None,
) -> list[Label]:
    """Label each input from `matrix[program][input]` and one role for each program.

    If all programs are candidates, the labels are those of `voting.label_inputs`.
    """
    if all(role is Role.CANDIDATE for role in roles):
        return label_inputs(matrix, checker, policy, same_as)
    agreement = build_agreement(checker)
    answers = _find_answers(matrix, roles, agreement, policy)
    out = set(find_disqualified(matrix, roles, checker, policy))
    ballots = [
        row if role in VOTING_ROLES and index not in out else [_NO_VOTE] * len(row)
        for index, (row, role) in enumerate(zip(matrix, roles, strict=True))
    ]
    needed = policy.proven_after
    proven = find_proven(matrix, _list_candidates(roles), answers, agreement, needed) if needed else frozenset[int]()
    voters = list(range(len(matrix))) if same_as is None or not policy.one_vote_per_program else list(same_as)
    labels = _label_by_votes(ballots, proven, checker, policy, same_as)
    return [
        _RolesOnInput([row[position] for row in matrix], roles, agreement, voters, position).apply(
            label, answers[position] if policy.brute_labels else None
        )
        for position, label in enumerate(labels)
    ]


def find_disqualified(matrix: OutcomeMatrix, roles: Sequence[Role], checker: AnyChecker, policy: Policy) -> list[int]:
    """Return the candidates whose output disagrees with a brute program on some input, if the policy asks for it."""
    if not policy.brute_disqualifies:
        return []
    agreement = build_agreement(checker)
    answers = _find_answers(matrix, roles, agreement, policy)
    return find_contradicted(matrix, _list_candidates(roles), answers, agreement)


def _list_candidates(roles: Sequence[Role]) -> list[int]:
    return [index for index, role in enumerate(roles) if role is Role.CANDIDATE]


def _find_answers(
    matrix: OutcomeMatrix, roles: Sequence[Role], agreement: Agreement, policy: Policy
) -> list[bytes | None]:
    """Return the answers of the brute programs, for policies that use more than their votes and vetoes."""
    uses_answers = policy.brute_disqualifies or policy.brute_labels or policy.proven_after
    brutes = [index for index, role in enumerate(roles) if role is Role.BRUTE]
    return find_answers(matrix, brutes if uses_answers else [], agreement)


def _label_by_votes(
    ballots: OutcomeMatrix,
    proven: frozenset[int],
    checker: AnyChecker,
    policy: Policy,
    same_as: Sequence[int] | None,
) -> list[Label]:
    """Label the inputs. Without dissent, the vote of a proven candidate suffices."""
    if not proven:
        return label_inputs(ballots, checker, policy, same_as)
    labels = label_inputs(ballots, checker, replace(policy, min_votes=1), same_as)
    return [
        label
        if label.expected is None
        or label.votes >= policy.min_votes
        or (label.votes == label.cast and not proven.isdisjoint(label.supporters))
        else replace(label, expected=None, why=NoLabel.MIN_VOTES)
        for label in labels
    ]


class _RolesOnInput:
    """The programs' outcomes on one input, with their roles."""

    def __init__(
        self,
        outcomes: Sequence[Outcome],
        roles: Sequence[Role],
        agreement: Agreement,
        voters: Sequence[int],
        position: int,
    ) -> None:
        self._outcomes = outcomes
        self._roles = roles
        self._agreement = agreement
        self._voters = voters
        self._position = position

    def apply(self, label: Label, answer: bytes | None) -> Label:
        """Return the label after references, the answer of the brute programs if it counts, and vetoes."""
        abstained = tuple(index for index in label.abstained if self._roles[index] in VOTING_ROLES)
        label = replace(label, abstained=abstained)
        try:
            references = self._find_finished(Role.REFERENCE)
            if references:
                return self._apply_references(label, references)
            if answer is not None:
                return replace(self._label_with(label, answer), by_brute=True)
            return self._apply_vetoes(label)
        except (CheckerLost, TooManyComparisons) as failure:
            lost = isinstance(failure, CheckerLost)
            return replace(label, expected=None, why=NoLabel.SERVICE_FAILED if lost else NoLabel.TOO_MANY_OUTPUTS)

    def _apply_vetoes(self, label: Label) -> Label:
        if label.expected is None:
            return label
        vetoes = self._find_disagreeing(self._find_finished(Role.BRUTE), label.expected)
        return replace(label, expected=None, why=NoLabel.BRUTE_VETO, objectors=vetoes) if vetoes else label

    def _apply_references(self, label: Label, references: Sequence[int]) -> Label:
        """Replace the label by the references' output."""
        expected = self._outcomes[references[0]].stdout
        objecting = self._find_disagreeing(references[1:], expected)
        if objecting:
            return replace(label, expected=None, why=NoLabel.REFERENCES_DISAGREE, objectors=objecting)
        return replace(self._label_with(label, expected), by_reference=True)

    def _label_with(self, label: Label, expected: bytes) -> Label:
        """Replace the label by the output of a trusted program, and count the votes for it."""
        voting = sorted({*label.supporters, *label.dissenters})
        dissenters = self._find_disagreeing(voting, expected)
        supporters = tuple(index for index in voting if index not in dissenters)
        return replace(
            label,
            expected=expected,
            votes=len({self._voters[index] for index in supporters}),
            why=None,
            supporters=supporters,
            dissenters=dissenters,
            objectors=tuple(index for index in dissenters if self._roles[index] is Role.BRUTE),
        )

    def _find_finished(self, role: Role) -> list[int]:
        return [
            index for index, outcome in enumerate(self._outcomes) if self._roles[index] is role and outcome.ended_well
        ]

    def _find_disagreeing(self, programs: Sequence[int], expected: bytes) -> tuple[int, ...]:
        return tuple(
            index
            for index in programs
            if self._agreement.judge(self._position, self._outcomes[index], expected).verdict is not Verdict.ACCEPTED
        )


def check_role(role: Role, verdicts: Sequence[Verdict]) -> bool | None:
    """Return whether a program with these verdicts, one for each input, behaves as its role says.

    None means that the role promises nothing, or that it cannot be decided: no input has a label, or the service
    failed.
    """
    if role is Role.WRONG:
        kept = any(verdict not in UNDECIDED_VERDICTS and verdict is not Verdict.ACCEPTED for verdict in verdicts)
    elif role is Role.SLOW:
        kept = Verdict.TIME_LIMIT_EXCEEDED in verdicts
    elif role is Role.REFERENCE:
        broken = any(verdict not in UNDECIDED_VERDICTS and verdict is not Verdict.ACCEPTED for verdict in verdicts)
        return False if broken else None if UNDECIDED_VERDICTS.issuperset(verdicts) else True
    else:
        return None
    if kept:
        return True
    return None if Verdict.INTERNAL_ERROR in verdicts or UNDECIDED_VERDICTS.issuperset(verdicts) else False
