"""Roles of the programs in a vote: which vote, which are trusted, and which must fail.

Theory of operation. `voting` labels each input from the programs that vote (`candidate` and `brute`). Then:

1. References decide. If those that ended well agree according to the checker, their output is the label, regardless of
   the votes. If they disagree, the input has no label (`references_disagree`). If none ended well, the votes decide.
2. A `brute` program, which is slow but simple, has a veto on the inputs that it finishes: a label by votes with which
   it disagrees is removed (`brute_veto`). It has no veto against references.
3. With the policy's `brute_disqualifies`, a candidate whose output disagrees with that of a brute program on any input
   loses its vote on all inputs, and cannot be golden: it is wrong, also where the brute program does not finish. If
   brute programs disagree with each other on an input, this input disqualifies nobody.
4. `wrong` and `slow` programs never vote. A wrong program must fail on some input, and a slow program must exceed the
   time limit on some input; `check_role` returns whether they do.

Only candidates may be golden.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum

from sandbox.runner.contract import Outcome, Status, Verdict
from sandbox.verify.agreement import Agreement, AnyChecker, CheckerLost, TooManyComparisons, build_agreement
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
    out = set(find_disqualified(matrix, roles, checker, policy))
    ballots = [
        row if role in VOTING_ROLES and index not in out else [_NO_VOTE] * len(row)
        for index, (row, role) in enumerate(zip(matrix, roles, strict=True))
    ]
    voters = list(range(len(matrix))) if same_as is None or not policy.one_vote_per_program else list(same_as)
    labels = label_inputs(ballots, checker, policy, same_as)
    return [
        _RolesOnInput([row[position] for row in matrix], roles, checker, voters, position).apply(label)
        for position, label in enumerate(labels)
    ]


def find_disqualified(matrix: OutcomeMatrix, roles: Sequence[Role], checker: AnyChecker, policy: Policy) -> list[int]:
    """Return the candidates whose output disagrees with a brute program on some input, if the policy asks for it."""
    brutes = [index for index, role in enumerate(roles) if role is Role.BRUTE] if policy.brute_disqualifies else []
    agreement = build_agreement(checker)
    found: set[int] = set()
    for position in range(len(matrix[0]) if matrix and brutes else 0):
        known = [matrix[index][position] for index in brutes if matrix[index][position].ended_well]
        try:
            if not known or any(not _is_right(agreement, position, other, known[0]) for other in known):
                continue
            found.update(
                index
                for index, role in enumerate(roles)
                if role is Role.CANDIDATE
                and index not in found
                and matrix[index][position].ended_well
                and agreement.judge(position, matrix[index][position], known[0].stdout).verdict is Verdict.WRONG_ANSWER
            )
        except (CheckerLost, TooManyComparisons):  # nothing is known about this input
            continue
    return sorted(found)


def _is_right(agreement: Agreement, position: int, outcome: Outcome, expected: Outcome) -> bool:
    return agreement.judge(position, outcome, expected.stdout).verdict is Verdict.ACCEPTED


class _RolesOnInput:
    """The programs' outcomes on one input, with their roles."""

    def __init__(
        self,
        outcomes: Sequence[Outcome],
        roles: Sequence[Role],
        checker: AnyChecker,
        voters: Sequence[int],
        position: int,
    ) -> None:
        self._outcomes = outcomes
        self._roles = roles
        self._agreement = build_agreement(checker)
        self._voters = voters
        self._position = position

    def apply(self, label: Label) -> Label:
        """Return the label after references and vetoes."""
        abstained = tuple(index for index in label.abstained if self._roles[index] in VOTING_ROLES)
        label = replace(label, abstained=abstained)
        try:
            references = self._find_finished(Role.REFERENCE)
            return self._apply_references(label, references) if references else self._apply_vetoes(label)
        except (CheckerLost, TooManyComparisons) as failure:
            lost = isinstance(failure, CheckerLost)
            return replace(label, expected=None, why=NoLabel.SERVICE_FAILED if lost else NoLabel.TOO_MANY_OUTPUTS)

    def _apply_vetoes(self, label: Label) -> Label:
        if label.expected is None:
            return label
        vetoes = self._find_disagreeing(self._find_finished(Role.BRUTE), label.expected)
        return replace(label, expected=None, why=NoLabel.BRUTE_VETO, objectors=vetoes) if vetoes else label

    def _apply_references(self, label: Label, references: Sequence[int]) -> Label:
        """Replace the label by the references' output, and count the votes for it."""
        expected = self._outcomes[references[0]].stdout
        objecting = self._find_disagreeing(references[1:], expected)
        if objecting:
            return replace(label, expected=None, why=NoLabel.REFERENCES_DISAGREE, objectors=objecting)
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
            by_reference=True,
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
