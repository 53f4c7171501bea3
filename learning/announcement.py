"""Announcements: each decision goes to the ledger with its reason, and is said as a sentence."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict

from engine.settings.learnt_artifacts import OWN
from learning.decision_ledger import DecisionLedger, LearningDecision, Outcome
from learning.promotion_check import Finding
from learning.version_store import VersionStore


class Announcer:
    """The voice of one loop.

    Args:
        store: The versions, to say which one serves.
        ledger: Gets each decision.
        now_ms: Unix time in ms.
        say: Gets each sentence.
    """

    def __init__(
        self,
        store: VersionStore,
        ledger: DecisionLedger,
        now_ms: Callable[[], int],
        say: Callable[[str], object],
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._now_ms = now_ms
        self.say = say

    def decide(
        self,
        outcome: Outcome,
        reason: str,
        version: int | None = None,
        findings: Sequence[Finding] = (),
        figures: Mapping[str, object] | None = None,
        quiet: bool = False,
    ) -> None:
        """Write a decision into the ledger, and say it unless `quiet`.

        Args:
            outcome: What was decided.
            reason: Why, as a clause.
            version: The version that it is about; None for none.
            findings: The parts of the promotion check that it rests on.
            figures: More of what it rests on.
            quiet: Whether nobody needs to hear it.
        """
        values = dict(figures or {})
        if findings:
            values["findings"] = [asdict(each) for each in findings]
        serving = self._store.state().serving
        self._ledger.append(
            LearningDecision(outcome, reason, serving, version, values, self._now_ms())
        )
        if not quiet:
            self.say(sentence(outcome, version, reason, serving))


def in_words(version: int) -> str:
    """Name a version in a sentence."""
    return f"version {version}" if version != OWN else "the config's own files"


def serves(version: int) -> str:
    """Say which version serves."""
    return f"{in_words(version)} {'serves' if version != OWN else 'serve'}"


def sentence(outcome: Outcome, version: int | None, reason: str, version_that_serves: int) -> str:
    """Say a decision, and what serves."""
    about = "" if version is None else f"version {version}: "
    what = {
        "nothing_new": "nothing learnt",
        "goes_on": "the pilot goes on",
        "rolled_back": "rolled back",
    }.get(outcome, outcome)
    stands = serves(version_that_serves)
    return f"{about}{what}, since {reason}. {stands[:1].upper()}{stands[1:]}"
