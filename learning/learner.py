"""The learner: one round, from new events to a version that plays, or to a reason why not.

A round judges the pilot that is running, learns a version from all listens, checks it, and lets it
play: for a pilot share of the listeners first. Every decision goes to the ledger with its reason.
Nothing that serves changes before a version is whole on the disk and its config has loaded.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from core.errors import InputError, SegueError, unknown_name
from core.progress import SILENT, Progress
from engine.runtime import Runtime
from engine.settings.learnt_artifacts import ServingState, read_version
from engine.settings.loading import load_settings
from engine.settings.pilot import free_slots
from learning.announcement import Announcer, serves
from learning.decision_ledger import DecisionLedger
from learning.fitting import FittedVersion, fit_version
from learning.learn_options import LearnOptions
from learning.listen_store import ListenStore, NewSessions
from learning.promotion import Promotion
from learning.publication import Publisher
from learning.recipe import Recipe, recipe_of
from learning.server_reload import ServerReload
from learning.version_store import VersionStore
from learning.warm_starts import WarmStarts


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
        self._now_ms = now_ms
        self.progress = progress
        self._log = settings.resolve(settings.events.dir)
        self.store = VersionStore(settings.resolve(settings.catalog.learnt))
        self.ledger = DecisionLedger(self.store.folder)
        self._announcer = Announcer(self.store, self.ledger, now_ms, say)
        self._publisher = Publisher(options.config, self.store, server, say)
        self._promotion = Promotion(
            options, self.store, self.ledger, self._announcer, self._publisher, now_ms
        )

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
        self._promotion.roll_back()

    def _take_round(self, is_over: bool) -> None:
        runtime = self._publisher.serving_runtime()
        settings = runtime.settings
        recipe = recipe_of(runtime, self._options.models)
        self._check_strategy(runtime)
        if self._options.pilot and self.store.state().pilot is None:
            free_slots(settings)  # a pilot without listeners is refused before a model is fitted
        listens = ListenStore(self.store.folder, runtime.catalog, settings.state.session_gap_s)
        new = listens.read_new(self._logs, self._now_ms(), is_over, self.progress)
        self._record_round(new, runtime)
        if (pilot := self.store.state().pilot) is not None:
            self._promotion.judge_running(pilot, self._logs, self.progress)
        if self.store.state().pilot is not None:
            return
        fresh = listens.sessions - self._learnt_sessions()
        if fresh < max(1, self._options.least):
            self._announcer.decide("nothing_new", _too_few(fresh, self._options.least))
            return
        self._learn(self._publisher.serving_runtime(), recipe, listens)

    def _learn(self, serving: Runtime, recipe: Recipe, listens: ListenStore) -> None:
        """Learn a version, check it, and let it play."""
        number = self.store.next_number()
        for name, reason in recipe.left_alone.items():
            self._announcer.say(f"'{name}' stays as it is: {reason}")
        fitted = self._fit(number, serving, recipe, listens)
        late = listens.files_since(self._logs, fitted.test_since_ms)
        self._promotion.consider(number, serving, fitted, late, self.progress)

    def _fit(
        self, number: int, serving: Runtime, recipe: Recipe, listens: ListenStore
    ) -> FittedVersion:
        """Write a version, whole or not at all."""
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
                WarmStarts(self.store.folder, self._announcer.say),
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
        return fitted

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
        reason = f"{new.sessions:,} new sessions"
        self._announcer.decide("round", reason, figures=figures, quiet=True)

    def _record_failure(self, error: SegueError) -> None:
        if self.store.folder.is_dir():
            with suppress(SegueError):  # on a full disk; the failure itself is what the user needs
                self._announcer.decide("failed", str(error), quiet=True)

    @property
    def _logs(self) -> Sequence[Path]:
        return self._options.logs or (self._log,)


def _too_few(fresh: int, least: int) -> str:
    """Say why a round has nothing to learn from."""
    if not fresh:
        return "no session is new since the last version was learnt"
    return f"{fresh:,} sessions are new, too few to learn from (--least {least:,})"
