"""Publication: a state of the versions serves whole, or what served still serves."""

from collections.abc import Callable
from pathlib import Path

from engine.runtime import Runtime, load_runtime
from engine.settings.learnt_artifacts import ServingState
from engine.settings.loading import load_settings
from learning.server_reload import ServerReload
from learning.version_store import VersionStore


class Publisher:
    """The way of a state into service.

    Args:
        config: The config file that serves.
        store: The versions.
        server: How the running server reloads; None if none runs.
        say: Gets what the server answered, as a sentence.
    """

    def __init__(
        self,
        config: Path,
        store: VersionStore,
        server: ServerReload | None,
        say: Callable[[str], object],
    ) -> None:
        self._config = config
        self._store = store
        self._server = server
        self._say = say

    def runtime(self, state: ServingState) -> Runtime:
        """Load the config as it is in a state.

        Raises:
            InputError: It does not load.
        """
        return load_runtime(load_settings(self._config, state))

    def serving_runtime(self) -> Runtime:
        """Load the config with the version that serves, without the files of a pilot."""
        return self.runtime(ServingState(self._store.state().promoted))

    def publish(self, state: ServingState) -> None:
        """Let a state serve: it loads, it is on the disk, and the server takes it, or nothing is.

        Raises:
            SegueError: The config does not load, or the server does not take it.
        """
        before = self._store.state()
        runtime = self.runtime(state)
        self._store.save_state(state)
        if self._server is None:
            return
        try:
            self._say(self._server.reload(runtime.digest))
        except BaseException:  # Ctrl-C too
            self._store.save_state(before)
            self._server.ask()  # it may load the state late, or have loaded it
            raise
