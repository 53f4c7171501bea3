"""The learner: one round, from new events to a version that plays, or to a reason why not.

A round judges the pilot that is running, learns a version from all listens, checks it, and lets it
play: for a pilot share of the listeners first. Every decision goes to the ledger with its reason.
Nothing that serves changes before a version is whole on the disk and its config has loaded.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from core.errors import InputError, SegueError, unknown_name
from core.progress import SILENT, Progress
from engine.runtime import Runtime, load_runtime
from engine.settings.learnt_artifacts import OWN, Pilot, ServingState, read_version
from engine.settings.loading import load_settings
from engine.settings.pilot import free_slots
from learning.decision_ledger import DecisionLedger, LearningDecision, Outcome
from learning.fitting import FittedVersion, fit_version
from learning.listen_store import ListenStore, NewSessions
from learning.pilot_judgement import judge_pilot
from learning.promotion_check import Finding, check_off_policy, check_offline
from learning.recipe import Recipe, recipe_of
from learning.server_reload import ServerReload
from learning.version_store import VersionStore
from training.training_options import TrainingOptions


@dataclass(frozen=True, slots=True)
class LearnOptions:
    """The options of the loop: how it learns and promotes.

    Attributes:
        config: The config file that serves.
        logs: Event files or folders; empty for the config's own log.
        models: Name of a file in the config -> model, where its manifest's does not count.
        strategy: The strategy that plays what was learnt; None for the config's `default`.
        pilot: Share of all listeners who get a version first, in [0, 0.5]; 0 for no pilot.
        bound: How much worse a version may be, as a share of the session time, in [0, 1).
        least: Sessions that must be new for a version to be learnt, a count.
        patience: Rounds after which a pilot that shows nothing is given up, a count.
        training: Of the fits.
    """

    config: Path
    logs: Sequence[Path] = ()
    models: Mapping[str, str] = field(default_factory=dict)
    strategy: str | None = None
    pilot: float = 0.2
    bound: float = 0.05
    least: int = 1000
    patience: int = 7
    training: TrainingOptions = field(default_factory=TrainingOptions)


class Learner:
    """The rounds of one config, and the way back.

    Args:
        options: How it learns.
        server: How the running server reloads; None if none runs.
        now_ms: Unix time in ms.
        say: Gets each decision as a sentence.
        progress: Shows the work.

    Attributes:
        store: The versions.
        ledger: The decisions.
        progress: Shows the work of the next round.
    """

    def __init__(
        self,
        options: LearnOptions,
        server: ServerReload | None,
        now_ms: Callable[[], int],
        say: Callable[[str], object],
        progress: Progress = SILENT,
    ) -> None:
        settings = load_settings(options.config, ServingState())
        self._options = options
        self._server = server
        self._now_ms = now_ms
        self._say = say
        self.progress = progress
        self._log = settings.resolve(settings.events.dir)
        self.store = VersionStore(settings.resolve(settings.catalog.learnt))
        self.ledger = DecisionLedger(self.store.folder)

    @property
    def what_serves(self) -> str:
        """Say which version serves: `version 3 serves`."""
        return serves(self.store.state().serving)

    def take_round(self, is_over: bool = False) -> None:
        """Take a round.

        Args:
            is_over: Whether every session of the log is over, as after a simulated day.

        Raises:
            SegueError: The round failed; what served still serves.
        """
        try:
            self._take_round(is_over)
        except ModuleNotFoundError:
            raise
        except SegueError as error:
            self._record_failure(error)
            raise
        except Exception as error:
            message = f"the round failed: {type(error).__name__}: {error}"
            failure = SegueError(f"{message}. Nothing has changed: {self.what_serves}")
            self._record_failure(failure)
            raise failure from error

    def roll_back(self) -> None:
        """Serve the version before, and end a pilot.

        Raises:
            SegueError: There is no earlier version and no pilot, or the server refuses.
        """
        state = self.store.state()
        if state.serving == OWN and state.pilot is None:
            raise SegueError(
                f"{self.store.folder}: there is no earlier version to go back to: the config's own "
                "files serve, and no pilot runs"
            )
        if state.pilot is not None and state.serving == OWN:
            after, reason = ServingState(state.promoted), f"ended {state.pilot.name} on request"
        else:
            after = ServingState(state.promoted[:-1])
            reason = f"went back from {in_words(state.serving)} on request"
            reason += f", and ended {state.pilot.name}" if state.pilot else ""
        self._publish(after)
        self._decide("rolled_back", reason, state.serving or None)

    def _take_round(self, is_over: bool) -> None:
        runtime = self._serving_runtime()
        settings = runtime.settings
        recipe = recipe_of(runtime, self._options.models)
        self._check_strategy(runtime)
        if self._options.pilot and self.store.state().pilot is None:
            free_slots(settings)  # a pilot without listeners is refused before a model is fitted
        listens = ListenStore(self.store.folder, runtime.catalog, settings.state.session_gap_s)
        new = listens.read_new(self._logs, self._now_ms(), is_over, self.progress)
        self._record_round(new, runtime)
        if (pilot := self.store.state().pilot) is not None:
            self._judge_running(pilot)
        if self.store.state().pilot is not None:
            return
        fresh = listens.sessions - self._learnt_sessions()
        if fresh < max(1, self._options.least):
            self._decide(
                "nothing_new",
                f"{fresh:,} sessions are new, too few to learn from (--least "
                f"{self._options.least:,})"
                if fresh
                else "no session is new since the last version was learnt",
            )
            return
        self._learn(self._serving_runtime(), recipe, listens, new)

    def _serving_runtime(self) -> Runtime:
        """Load the config with the version that serves, without the files of a pilot."""
        state = ServingState(self.store.state().promoted)
        return load_runtime(load_settings(self._options.config, state))

    def _learn(
        self, serving: Runtime, recipe: Recipe, listens: ListenStore, new: NewSessions
    ) -> None:
        """Learn a version, check it, and let it play."""
        number = self.store.next_number()
        for name, reason in recipe.left_alone.items():
            self._say(f"'{name}' stays as it is: {reason}")
        table = listens.all()
        assert table is not None
        with self.store.new_folder(number) as part:
            fitted = fit_version(
                part,
                number,
                self._options.strategy or self._strategy_that_serves(),
                recipe.files,
                table,
                serving.artifacts,
                self._options.training,
                self.progress,
            )
            about = {
                "made_ms": self._now_ms(),
                "sessions": listens.sessions,
                "catalog_checksum": serving.catalog.checksum,
                "models": fitted.models,
                "offline": [asdict(each) for each in fitted.figures],
            }
            self.store.seal(part, fitted.files, about)
        self._promote(number, serving, fitted, new)

    def _promote(
        self, number: int, serving: Runtime, fitted: FittedVersion, new: NewSessions
    ) -> None:
        """Check a version that is whole; start its pilot, promote it, or refuse it."""
        state, options = self.store.state(), self._options
        alone = ServingState((*state.promoted, number))
        try:
            learnt = load_runtime(load_settings(options.config, alone))
        except InputError as error:
            self._decide("refused", f"its config does not load: {error.faults[0]}", number)
            return
        findings = [check_offline(fitted.figures)]
        if findings[0].verdict == "no_worse":
            findings.append(
                check_off_policy(
                    new.files,
                    serving,
                    learnt,
                    fitted.test_since_ms,
                    options.bound,
                    self.progress,
                )
            )
        last = findings[-1]
        if last.verdict == "worse":
            self._decide("refused", last.reason, number, findings)
        elif options.pilot:
            pilot = Pilot(number, options.pilot, self._now_ms(), free_slots(serving.settings))
            self._publish(ServingState(state.promoted, pilot))
            said = "; ".join(each.reason for each in findings)
            self._decide("piloted", f"for {options.pilot:.0%} of the listeners: {said}", number)
        elif last.verdict == "no_worse":
            self._publish(alone)
            self._decide("promoted", last.reason, number, findings)
        else:
            reason = f"{last.reason} (a pilot can tell: --pilot 0.2)"
            self._decide("refused", reason, number, findings)

    def _judge_running(self, pilot: Pilot) -> None:
        """Promote the version of a pilot, end the pilot, or let it go on."""
        found = judge_pilot(self._logs, pilot, self._options.bound, self.progress)
        state, number = self.store.state(), pilot.version
        if found.verdict == "no_worse":
            self._publish(ServingState((*state.promoted, number)))
            self._decide("promoted", found.reason, number, [found])
            return
        looks = 1 + sum(
            each["outcome"] == "goes_on" and each["version"] == number
            for each in self.ledger.read()
        )
        if found.verdict == "unclear" and looks < self._options.patience:
            self._decide("goes_on", f"look {looks}: {found.reason}", number, [found])
            return
        reason = found.reason
        if found.verdict == "unclear":
            reason = f"{found.reason}, after {looks} rounds (--patience {self._options.patience})"
        self._publish(ServingState(state.promoted))
        self._decide("refused", reason, number, [found])

    def _publish(self, state: ServingState) -> None:
        """Let a state serve: it loads, it is on the disk, and the server takes it, or nothing is.

        Raises:
            SegueError: The config does not load, or the server does not take it.
        """
        before = self.store.state()
        runtime = load_runtime(load_settings(self._options.config, state))
        self.store.save_state(state)
        if self._server is None:
            return
        try:
            self._say(self._server.reload(runtime.digest))
        except SegueError:
            self.store.save_state(before)
            raise

    def _check_strategy(self, runtime: Runtime) -> None:
        strategy = self._options.strategy
        if strategy is not None and strategy not in runtime.chains:
            raise InputError.one("--strategy", unknown_name("strategy", strategy, runtime.chains))

    def _strategy_that_serves(self) -> str | None:
        """Name the strategy of the version that serves; None for the config's default."""
        serving = self.store.state().serving
        return read_version(self.store.folder, serving).strategy

    def _learnt_sessions(self) -> int:
        """Number of the sessions from which the last version has learnt."""
        numbers = self.store.numbers()
        return int(self.store.manifest(numbers[-1]).get("sessions", 0)) if numbers else 0

    def _record_round(self, new: NewSessions, runtime: Runtime) -> None:
        played = {name: asdict(each) for name, each in new.played.items()}
        figures = {"sessions": new.sessions, "default": runtime.default, "played": played}
        self._decide("round", f"{new.sessions:,} new sessions", None, figures=figures, quiet=True)

    def _record_failure(self, error: SegueError) -> None:
        if self.store.folder.is_dir():
            self._decide("failed", str(error), quiet=True)

    def _decide(
        self,
        outcome: Outcome,
        reason: str,
        version: int | None = None,
        findings: Sequence[Finding] = (),
        figures: Mapping[str, object] | None = None,
        quiet: bool = False,
    ) -> None:
        """Write a decision into the ledger, and say it."""
        values = dict(figures or {})
        if findings:
            values["findings"] = [asdict(each) for each in findings]
        serving = self.store.state().serving
        self.ledger.append(
            LearningDecision(outcome, reason, serving, version, values, self._now_ms())
        )
        if not quiet:
            self._say(sentence(outcome, version, reason, serving))

    @property
    def _logs(self) -> Sequence[Path]:
        return self._options.logs or (self._log,)


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
