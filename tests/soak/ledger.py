"""The clients' own ledger: what they sent, and which answer they got, apart from any log."""

from collections import Counter
from dataclasses import dataclass, field

from tests.soak.logged_lines import LoggedLines


@dataclass(slots=True)
class Ledger:
    """Requests by their mark, a number that each carries in its attributes.

    Attributes:
        sent: Mark -> times sent; a retry carries the mark of its first attempt.
        decided: Mark -> the decision ids of its answers: one for each process that answered.
        acknowledged: Marks that were answered with 200.
        refused: Marks of which every attempt was answered with 503.
        refusals: Number of 503 answers.
        unanswered: Number of attempts without an answer.
        repeated: Number of retries that got the first answer again.
        problems: A sentence for each answer that was wrong.
    """

    sent: Counter[int] = field(default_factory=Counter)
    decided: dict[int, set[str]] = field(default_factory=dict)
    acknowledged: set[int] = field(default_factory=set)
    refused: set[int] = field(default_factory=set)
    refusals: int = 0
    unanswered: int = 0
    repeated: int = 0
    problems: list[str] = field(default_factory=list)

    def acknowledge(self, mark: int, decision: str | None) -> None:
        """Note an answer of 200."""
        if decision is not None:
            decided = self.decided.setdefault(mark, set())
            decided.add(decision)
            if len({each.partition("-")[0] for each in decided}) < len(decided):
                self.problems.append(f"one process gave request {mark} two answers: {decided}")
        self.acknowledged.add(mark)
        self.refused.discard(mark)

    def losses(self, read: LoggedLines) -> list[str]:
        """Compare with the lines on file; give a sentence for each that is lost, or is too many."""
        wrong = []
        for mark in self.acknowledged:
            times = read.marks[mark]
            if not 1 <= times <= self.sent[mark]:
                wrong.append(f"request {mark} was acknowledged and is on file {times} times")
            wrong += [
                f"decision {each} was acknowledged and is on file {read.decisions[each]} times"
                for each in self.decided.get(mark, ())
                if read.decisions[each] != 1
            ]
        wrong += [
            f"request {mark} was refused and is on file" for mark in self.refused & set(read.marks)
        ]
        wrong += [f"decision {each} is on file twice" for each in read.decided_twice()]
        return wrong
