"""Opening the shared state that a config names; redis-py is imported only then."""

import os
from typing import TYPE_CHECKING

from core.errors import InputError
from engine.settings.model import Settings

if TYPE_CHECKING:
    from engine.shared_state.connecting import Target
    from engine.shared_state.store import SharedStore


def read_state_target(settings: Settings) -> "Target":
    """Read which Redis a config names, also from the environment; reach nothing.

    Raises:
        InputError: The variable is not set, its url is faulty, or redis-py is not installed.
    """
    state = settings.state
    where = f"{settings.path}: state"
    try:
        from engine.shared_state.connecting import read_target
    except ImportError as error:
        raise InputError.one(
            f"{where}.backend",
            "needs redis-py, which is not installed. Install it: pip install 'segue[redis]'",
        ) from error
    if state.url_env is None:
        assert state.url is not None, "check_state refuses a config without both"
        key, url = "url", state.url
    else:
        key, url = "url_env", os.environ.get(state.url_env, "")
        if not url:
            raise InputError.one(
                f"{where}.url_env",
                f"names the environment variable {state.url_env}, which is not set. Set it to the "
                "url of your Redis, for instance redis://:PASSWORD@127.0.0.1:6379/0",
            )
    try:
        return read_target(url, state.sentinel, state.cluster)
    except ValueError as error:
        raise InputError.one(
            f"{where}.{key}",
            f"must be the url of a Redis: {error}. For instance redis://127.0.0.1:6379/0",
        ) from error


def open_store(settings: Settings) -> "SharedStore":
    """Make the store that a config names; `start` connects it.

    Raises:
        InputError: See `read_state_target`.
    """
    target = read_state_target(settings)
    from engine.shared_state.store import SharedStore

    return SharedStore(settings.state, target)
