"""`segue` before any of its commands: what it sets for the process."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.main import main


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="threads are counted by /proc")
@pytest.mark.parametrize(("command", "own", "limited"), [
    ("serve", None, True), ("serve", "2", False), ("check", None, False),
])  # fmt: skip
def test_a_servers_products_run_in_one_thread(command, own, limited):
    """A fresh process, since BLAS reads its environment only once."""
    code = (
        "import sys\n"
        f"sys.argv = ['segue', {command!r}, '--help']\n"
        "from cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "import os\n"
        "print(os.environ.get('OPENBLAS_NUM_THREADS'))\n"
        "import numpy\n"
        "numpy.ones((900, 900)) @ numpy.ones((900, 900))\n"
        "print(open('/proc/self/status').read().split('Threads:')[1].split()[0])\n"
    )
    environment = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    if own is not None:
        environment["OPENBLAS_NUM_THREADS"] = own

    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )

    said, threads = done.stdout.split()[-2:]
    assert said == ("1" if limited else str(own))
    if limited:
        assert threads == "1"


def test_ctrl_c_while_the_commands_load_ends_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(importlib, "import_module", interrupted)

    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == 130
    assert capsys.readouterr().err == "segue: interrupted\n"
