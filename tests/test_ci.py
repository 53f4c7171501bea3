"""`.ci/run` installs the programs that tests use."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_ci_installs_exactly_the_programs_that_tests_need() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    [pairs] = re.findall(r"^for pair in (.+); do$", script, re.MULTILINE)
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    needed = set(re.findall(r'^@needs\.program\("(.+)"\)$', tests, re.MULTILINE))
    assert needed == {pair.partition(":")[0] for pair in pairs.split()}
