"""A process that runs `segue` commands in one Spark session, and so starts one JVM for all of them.

Each line of its input is a command's arguments as a JSON list; each line of its output is the
command's exit code and standard output.
"""

import json
import sys
import traceback

from typer.testing import CliRunner

from cli import main


def run(arguments: list[str]) -> tuple[int, str]:
    done = CliRunner().invoke(main.build(), arguments)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        traceback.print_exception(done.exception)
    return done.exit_code, done.stdout


if __name__ == "__main__":
    for line in sys.stdin:
        sys.stdout.write(json.dumps(run(json.loads(line))) + "\n")
        sys.stdout.flush()
