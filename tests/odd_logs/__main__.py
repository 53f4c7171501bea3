"""`make fuzz`: thousands of small odd logs; the exit code is 1 if a reader failed on one."""

import argparse
import os
import random
import sys
import tempfile
import traceback
from collections import Counter
from pathlib import Path

import numpy as np

from cli.progress import bars
from cli.terminal import terminal
from tests.odd_logs.made_log import write_log
from tests.odd_logs.readings import read


def main() -> int:
    """Try the logs; give the exit code."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--logs", type=int, default=1000, help="number of logs")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first; each has the next")
    options = parser.parse_args()
    out, found, failed = terminal(), Counter[str](), 0
    np.seterr(divide="raise", over="raise", invalid="raise")
    with bars() as progress:
        progress.start("odd logs", options.logs)
        for seed in range(options.seed, options.seed + options.logs):
            said = _try(seed)
            if said.startswith("Traceback"):
                failed += 1
                out.print(f"seed {seed}: {said}")
            found[said.splitlines()[-1].split(": ", 1)[-1] if said else "read in every way"] += 1
            progress.advance(1)
    for what, count in found.most_common():
        out.print(f"{count:,} {what}")
    return 1 if failed else 0


def _try(seed: int) -> str:
    """Read one log; return what was refused, or how a reader failed."""
    with tempfile.TemporaryDirectory() as made:
        os.chdir(made)  # without a config.yaml, which has plans of its own
        draw = random.Random(seed)
        write_log(Path(made) / "log", draw)
        try:
            return read(Path(made) / "log", draw)
        except Exception:
            return traceback.format_exc()


if __name__ == "__main__":
    sys.exit(main())
