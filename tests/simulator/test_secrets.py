"""No code that recommends, trains or reports may read true tastes."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from engine.settings.loading import load_settings
from tests.service import write_config

ROOT = Path(__file__).parents[2]
HONEST = ("core", "strategies", "events", "engine", "app", "analysis", "training")
SECRET = ("embeddings.npy", "users.jsonl", "users.json")


def imported_by(path: Path) -> set[str]:
    """Top packages that a module imports, at its top or inside a function."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("package", HONEST)
def test_no_serving_or_learning_module_imports_the_simulator(package: str) -> None:
    assert modules(package), "the walk must find something"
    guilty = {str(path) for path in modules(package) if "simulator" in imported_by(path)}
    assert not guilty


@pytest.mark.parametrize("package", HONEST)
def test_no_serving_or_learning_module_names_a_file_of_true_tastes(package: str) -> None:
    for path in modules(package):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert node.value not in SECRET, f"{path}:{node.lineno}"


def test_few_modules_of_cli_import_both_the_simulator_and_the_engine() -> None:
    """Modules of `cli` that import both the simulator and what answers it."""
    both = {
        path.name
        for path in modules("cli")
        if "simulator" in (found := imported_by(path))
        and found & {"app", "engine", "training", "analysis"}
    }
    assert both <= {
        "world_warmup.py",
        "world.py",
        "learn.py",  # plays the days of --rounds
        "simulated_day.py",  # plays such a day against the config that serves
        "list_play.py",  # plays the lists of `train compare --play`
    }


@pytest.mark.parametrize("name", ["config.yaml", "tests"])
def test_no_path_of_a_config_leads_to_true_tastes(name: str, tmp_path: Path) -> None:
    config = ROOT / "config.yaml" if name == "config.yaml" else write_config(tmp_path)
    settings = load_settings(config)
    section = settings.catalog
    configured = [section.tracks, section.top, *section.lists.values(), settings.events.dir]
    resolved = {settings.resolve(path).resolve() for path in configured if path is not None}
    assert resolved
    assert not {path.name for path in resolved} & set(SECRET)
    secrets = {(ROOT / "data" / secret).resolve() for secret in SECRET}
    assert not resolved & secrets


WATCHED = """
import sys
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
from engine.runtime import load_runtime
from engine.settings.loading import load_settings
from core.listener import Listener
from pathlib import Path
serving = load_runtime(load_settings(Path(sys.argv[1])))
for chain in serving.chains.values():
    for _, propose in chain.members:
        propose(Listener.of("1", [(0, 1.0)], turn=2))
import json
print(json.dumps(opened))
"""


def test_serving_opens_no_file_of_true_tastes() -> None:
    """Watched by an audit hook, so it does not matter which module opens a file."""
    found = subprocess.run(
        [sys.executable, "-c", WATCHED, str(ROOT / "config.yaml")],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    opened = [Path(name).name for name in json.loads(found.stdout.splitlines()[-1])]
    assert "tracks.jsonl" in opened
    assert not set(opened) & set(SECRET)
