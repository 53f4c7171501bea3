"""Ask pip-audit whether a pinned package has a known vulnerability: `make audit`.

Without an answer of the database of advisories nothing was audited. That is said, and fails no
build: a machine without the way to it could not build at all.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

PINS = ("constraints.txt", "deploy/requirements.txt")


def judge(found: dict[str, Any]) -> tuple[list[str], bool]:
    """Return what pip-audit's JSON says, in lines, and whether a package is vulnerable."""
    packages = found["dependencies"]
    skipped = [each for each in packages if "skip_reason" in each]
    lines = [
        f"{each['name']} {each['version']}: {fault['id']}, fixed in "
        f"{', '.join(fault['fix_versions']) or 'no version yet'}"
        for each in packages
        for fault in each.get("vulns", ())
    ]
    is_vulnerable = bool(lines)
    if len(skipped) == len(packages):
        lines.append(f"NOT AUDITED: the database of advisories knows none of {len(packages)} pins")
    elif skipped:
        names = ", ".join(each["name"] for each in skipped)
        lines.append(f"{len(packages) - len(skipped)} pins audited; not in the database: {names}")
    else:
        lines.append(f"{len(packages)} pins audited")
    return lines, is_vulnerable


def main(program: str) -> int:
    """Audit both files of pins with this pip-audit; return the exit code."""
    failed = False
    for pins in PINS:
        ran = subprocess.run(  # noqa: S603 - the program that make installed
            [program, "--requirement", pins, "--no-deps", "--disable-pip", "--format", "json",
             "--progress-spinner", "off"],
            capture_output=True, text=True, cwd=Path(__file__).parents[1],
        )  # fmt: skip
        try:
            lines, is_vulnerable = judge(json.loads(ran.stdout))
        except ValueError:
            said = ran.stderr.strip().splitlines() or ["no message"]
            lines, is_vulnerable = [f"NOT AUDITED: pip-audit gave no answer: {said[-1]}"], False
        failed |= is_vulnerable
        print("\n".join(f"{pins}: {line}" for line in lines))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
