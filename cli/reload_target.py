"""The reload target: the running server that a command names, and how it reloads."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import SegueError

if TYPE_CHECKING:
    from learning.server_reload import ServerReload


def server_reload(
    config: Path, address: str | None, pid: int | None, pid_file: Path | None
) -> "ServerReload":
    """Choose how the running server reloads; without a named one, the user reloads it."""
    from engine.settings.learnt_artifacts import ServingState
    from engine.settings.loading import load_settings
    from learning.server_reload import HttpReload, ManualReload, SignalReload, pid_in

    if address is None and pid is None and pid_file is None:
        return ManualReload()
    settings = load_settings(config, ServingState())
    timeout_s = settings.server.reload_timeout_s + 10
    if pid_file is not None:
        pid = pid_in(pid_file)
    if pid is not None:
        return SignalReload(pid, address, timeout_s)
    assert address is not None
    env = settings.admin.token_env
    token = os.environ.get(env, "").strip()
    if not token:
        raise SegueError(
            f"--server {address}: a reload over HTTP needs the admin token, and {env} is not set. "
            "Set it as the server has it, or reload by SIGHUP with --pid or --pid-file"
        )
    return HttpReload(address, token, timeout_s)
