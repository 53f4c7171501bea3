"""The promotion: a version gets a pilot, serves, or is refused, each with its reason."""

from collections.abc import Callable, Sequence
from pathlib import Path

from core.errors import InputError, SegueError
from core.progress import Progress
from engine.runtime import Runtime
from engine.settings.learnt_artifacts import OWN, Pilot, ServingState
from engine.settings.pilot import free_slots
from learning.announcement import Announcer, in_words
from learning.decision_ledger import DecisionLedger
from learning.fitting import FittedVersion
from learning.learn_options import LearnOptions
from learning.pilot_judgement import judge_pilot
from learning.promotion_check import check_off_policy, check_offline
from learning.publication import Publisher
from learning.version_store import VersionStore


class Promotion:
    """The way of a version into service, for one loop.

    Args:
        options: The share of a pilot, its patience, and the bound.
        store: The versions.
        ledger: The decisions, to count the looks at a pilot.
        announcer: Gets each decision.
        publisher: Lets a state serve.
        now_ms: Unix time in ms.
    """

    def __init__(
        self,
        options: LearnOptions,
        store: VersionStore,
        ledger: DecisionLedger,
        announcer: Announcer,
        publisher: Publisher,
        now_ms: Callable[[], int],
    ) -> None:
        self._options = options
        self._store = store
        self._ledger = ledger
        self._decide = announcer.decide
        self._publisher = publisher
        self._now_ms = now_ms

    def consider(
        self,
        number: int,
        serving: Runtime,
        fitted: FittedVersion,
        logs: Sequence[Path],
        progress: Progress,
    ) -> None:
        """Check a version that is whole; start its pilot, promote it, or refuse it.

        Args:
            number: The version.
            serving: The config as it serves.
            fitted: The files of the version, with their offline figures.
            logs: Event files with late events, from which no model has learnt.
            progress: Shows the work.
        """
        state, options = self._store.state(), self._options
        alone = ServingState((*state.promoted, number))
        try:
            learnt = self._publisher.runtime(alone)
        except InputError as error:
            self._decide("refused", f"its config does not load: {error.faults[0]}", number)
            return
        findings = [check_offline(fitted.figures)]
        if findings[0].verdict == "no_worse":
            since_ms, bound = fitted.test_since_ms, options.bound
            findings.append(check_off_policy(logs, serving, learnt, since_ms, bound, progress))
        last = findings[-1]
        if last.verdict == "worse":
            self._decide("refused", last.reason, number, findings)
        elif options.pilot:
            pilot = Pilot(number, options.pilot, self._now_ms(), free_slots(serving.settings))
            self._publisher.publish(ServingState(state.promoted, pilot))
            said = "; ".join(each.reason for each in findings)
            self._decide("piloted", f"for {options.pilot:.0%} of the listeners: {said}", number)
        elif last.verdict == "no_worse":
            self._publisher.publish(alone)
            self._decide("promoted", last.reason, number, findings)
        else:
            reason = f"{last.reason} (a pilot can tell: --pilot 0.2)"
            self._decide("refused", reason, number, findings)

    def judge_running(self, pilot: Pilot, logs: Sequence[Path], progress: Progress) -> None:
        """Promote the version of a pilot, end the pilot, or let it go on.

        Args:
            pilot: The pilot that is running.
            logs: Event files or folders.
            progress: Shows the work.
        """
        found = judge_pilot(logs, pilot, self._options.bound, progress)
        state, number = self._store.state(), pilot.version
        if found.verdict == "no_worse":
            self._publisher.publish(ServingState((*state.promoted, number)))
            self._decide("promoted", found.reason, number, [found])
            return
        looks = 1 + self._looks_at(number)
        if found.verdict == "unclear" and looks < self._options.patience:
            self._decide("goes_on", f"look {looks}: {found.reason}", number, [found])
            return
        reason = found.reason
        if found.verdict == "unclear":
            reason = f"{found.reason}, after {looks} rounds (--patience {self._options.patience})"
        self._publisher.publish(ServingState(state.promoted))
        self._decide("refused", reason, number, [found])

    def roll_back(self) -> None:
        """Serve the version before, and end a pilot.

        Raises:
            SegueError: There is no earlier version and no pilot, or the server refuses.
        """
        state = self._store.state()
        if state.serving == OWN and state.pilot is None:
            raise SegueError(
                f"{self._store.folder}: there is no earlier version to go back to: the config's "
                "own files serve, and no pilot runs"
            )
        if state.pilot is not None and state.serving == OWN:
            after, reason = ServingState(state.promoted), f"ended {state.pilot.name} on request"
        else:
            after = ServingState(state.promoted[:-1])
            reason = f"went back from {in_words(state.serving)} on request"
            reason += f", and ended {state.pilot.name}" if state.pilot else ""
        self._publisher.publish(after)
        self._decide("rolled_back", reason, state.serving or None)

    def _looks_at(self, number: int) -> int:
        """Count the rounds after which the pilot of a version went on."""
        return sum(
            each["outcome"] == "goes_on" and each["version"] == number
            for each in self._ledger.read()
        )
