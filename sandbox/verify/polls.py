"""Count the votes on one input: which outputs stand for election, and which candidates support each of them.

Theory of operation. Each voter has the outputs of its candidates, usually one.

If agreement is an equivalence (`canonicalize`), outputs with the same canonical form are a group, and each is read
once.

Otherwise, agreement is not transitive: under a tolerance of 1, 0.9 agrees with 0 and with 1.8, which do not agree with
each other. Groups would then depend on the order in which they are formed. So there are none. A voter supports an
output if its own output and this one are each right for the other. The output with the most support wins, which is the
minimum Bayes risk decision by execution (MBR-EXEC: Shi et al., arXiv 2204.11454, section 3.2, with the checker as the
loss). Of several outputs that support each other equally, the one that most voters printed represents them, then the
shortest, then the smallest by bytes. The strongest output that does not agree with the winner is its rival. All of this
depends only on the set of ballots, never on the order of candidates. An output that the checker does not accept for
itself gets no support.

Most comparisons are not made: an output whose possible support does not exceed that of a known one cannot win.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from sandbox.runner.contract import Outcome
from sandbox.verify.agreement import Agreement, Comparisons


@dataclass(slots=True)
class Choice:
    """An output, and the candidates that support it. `votes` counts voters, each of which may be several candidates."""

    output: bytes
    members: list[int] = field(default_factory=list)
    votes: int = 0


@dataclass(frozen=True, slots=True)
class Poll:
    """The choices with votes, in order of their first members, the number of votes cast, and who abstains.

    `comparisons` are those made so far, if agreement is not an equivalence.
    """

    choices: list[Choice]
    cast: int
    abstained: list[int]
    comparisons: Comparisons | None = None


def count_poll(outcomes: Sequence[Outcome], agreement: Agreement, voters: Sequence[int], position: int) -> Poll:
    """Count the votes of the runs that ended well on the input at `position`.

    `voters[candidate]` is the voter whose ballot the candidate fills in. Raises TooManyComparisons and CheckerLost.
    """
    outputs = {index: outcome.stdout for index, outcome in enumerate(outcomes) if outcome.ended_well}
    if agreement.canonicalize(b"") is not None:
        return _count_groups(outputs, agreement, voters)
    return _count_support(outputs, Comparisons(agreement, position, set(outputs.values())), voters)


def _count_groups(outputs: Mapping[int, bytes], agreement: Agreement, voters: Sequence[int]) -> Poll:
    of_bytes: dict[bytes, Choice] = {}
    of_form: dict[bytes, Choice] = {}
    for index, output in outputs.items():
        group = of_bytes.get(output)
        if group is None:
            form = agreement.canonicalize(output) or b""
            group = of_bytes[output] = of_form.setdefault(sha256(form).digest(), Choice(output))
        group.members.append(index)
    groups = list(of_form.values())
    ballots: dict[int, int] = {}
    for group in groups:
        for voter in {voters[member] for member in group.members}:
            ballots[voter] = ballots.get(voter, 0) + 1
    abstained = [member for group in groups for member in group.members if ballots[voters[member]] > 1]
    for group in groups:
        group.members = [member for member in group.members if ballots[voters[member]] == 1]
        group.votes = len({voters[member] for member in group.members})
    chosen = [group for group in groups if group.votes]
    return Poll(chosen, sum(group.votes for group in chosen), abstained)


def _count_support(outputs: Mapping[int, bytes], comparisons: Comparisons, voters: Sequence[int]) -> Poll:
    ballots: dict[int, set[bytes]] = {}
    for index, output in outputs.items():
        ballots.setdefault(voters[index], set()).add(output)
    undecided = {voter for voter, own in ballots.items() if _contradicts_itself(own, comparisons)}
    abstained = [index for index in outputs if voters[index] in undecided]
    support = _Support({voter: own for voter, own in ballots.items() if voter not in undecided}, comparisons)
    choices = []
    for output in support.find_winner_and_rivals():
        supporters = support.find_supporters(output)
        if supporters:
            members = [index for index in outputs if voters[index] in supporters]
            choices.append(Choice(output, members, len(supporters)))
    choices.sort(key=lambda choice: choice.members[0])
    return Poll(choices, len(support.ballots), abstained, comparisons)


def _contradicts_itself(own: set[bytes], comparisons: Comparisons) -> bool:
    ordered = sorted(own)
    return any(not comparisons.agree(one, ordered[0]) for one in ordered[1:])


class _Support:
    """Which voters support which output."""

    def __init__(self, ballots: Mapping[int, set[bytes]], comparisons: Comparisons) -> None:
        self.ballots = ballots
        self._comparisons = comparisons
        printed: dict[bytes, int] = {}
        for own in ballots.values():
            for output in own:
                printed[output] = printed.get(output, 0) + 1
        # Representatives come first. The order depends on the ballots alone.
        self._outputs = sorted(printed, key=lambda output: (-printed[output], len(output), output))
        self._supporters: dict[bytes, frozenset[int]] = {}
        self._apart: dict[bytes, set[bytes]] = {output: set() for output in self._outputs}

    def find_winner_and_rivals(self) -> list[bytes]:
        """Return the output with the most support, and those that do not agree with it and may come next."""
        winner, most = None, 0
        for output in self._outputs:
            if self._bound(output) > most and len(self.find_supporters(output)) > most:
                winner, most = output, len(self._supporters[output])
        if winner is None:
            return self._outputs[:1]
        rivals, second = [], 0
        for output in self._outputs:
            if self._agree(output, winner):
                continue
            bound = self._bound(output)
            if bound > second or bound >= most:
                rivals.append(output)
                second = max(second, len(self.find_supporters(output)))
        return [winner, *rivals]

    def find_supporters(self, output: bytes) -> frozenset[int]:
        """Return the voters all of whose outputs agree with this one."""
        if output not in self._supporters:
            legal = self._agree(output, output)
            self._supporters[output] = frozenset(
                voter
                for voter, own in (self.ballots.items() if legal else ())
                if all(self._agree(one, output) for one in sorted(own))
            )
        return self._supporters[output]

    def _agree(self, one: bytes, other: bytes) -> bool:
        if other in self._apart[one]:
            return False
        if self._comparisons.agree(one, other):
            return True
        self._apart[one].add(other)
        self._apart[other].add(one)
        return False

    def _bound(self, output: bytes) -> int:
        """Return the number of voters that may support an output, by the comparisons made so far."""
        if output in self._supporters:
            return len(self._supporters[output])
        apart = self._apart[output]
        return sum(apart.isdisjoint(own) for own in self.ballots.values()) if apart else len(self.ballots)
