"""A strategy from outside the tree: the package beside this file, used as its users use it."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from core.errors import InputError, SegueError
from engine.config_snapshots import load_snapshot, save_snapshot
from engine.runtime import load_runtime
from engine.settings.loading import load_settings
from segue import Listener, Params
from segue.testing import contract_test
from segue.testing.rules import RULES
from strategies import registry
from tests.service import write_config
from tests.worlds import every_type

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BACK_TO_A = Listener.of("1", [(0, 0.95), (9, 0.02), (12, 0.1)])


@pytest.fixture(autouse=True)
def _forgotten_afterwards(monkeypatch):
    """Forget what a test registers and imports when it ends."""
    monkeypatch.setattr(registry, "TYPES", registry.TYPES.copy())
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def installed(monkeypatch, tmp_path):
    """Put the plugin's files and its metadata on the path, as pip does."""
    project = tomllib.loads((HERE / "pyproject.toml").read_text())["project"]
    install(tmp_path, project["name"], project["entry-points"]["segue.strategies"])
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.syspath_prepend(HERE)


def install(folder, name, modules):
    metadata = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [f"{entry} = {module}" for entry, module in modules.items()]
    (metadata / "entry_points.txt").write_text("\n".join(["[segue.strategies]", *lines, ""]))


def config(folder, **sections):
    strategies = {
        "random": {"type": "random"},
        "back": {"type": "comeback", "patience": 2, "fallback": "random"},
    }
    return write_config(folder, strategies=strategies, default="back", experiments=[], **sections)


def proposed(serving):
    (_, propose), *_ = serving.chains["back"].members
    return propose(BACK_TO_A).listed()


def test_an_installed_plugin_needs_no_mention_in_config(installed, tmp_path):
    assert proposed(load_runtime(load_settings(config(tmp_path / "world")))) == [1, 2, 3, 4, 5]


def test_a_module_on_the_path_is_named_in_config(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(HERE)
    path = config(tmp_path, modules=["segue_comeback"])
    assert proposed(load_runtime(load_settings(path))) == [1, 2, 3, 4, 5]


def test_a_file_beside_the_config_is_named_in_config(tmp_path):
    path = config(tmp_path, modules=["my_comeback"])
    source = (HERE / "segue_comeback" / "__init__.py").read_text()
    (tmp_path / "my_comeback.py").write_text(source)
    on_path = list(sys.path)
    assert proposed(load_runtime(load_settings(path))) == [1, 2, 3, 4, 5]
    assert sys.path == on_path


def test_a_kept_copy_of_the_config_finds_that_file_again(tmp_path):
    path = config(tmp_path, modules=["my_comeback"])
    lying = tmp_path / "my_comeback.py"
    lying.write_text((HERE / "segue_comeback" / "__init__.py").read_text())
    served = load_runtime(load_settings(path))
    kept = save_snapshot(served, tmp_path / "log")
    del sys.modules["my_comeback"]
    assert load_snapshot(kept).digest == served.digest
    del sys.modules["my_comeback"]
    lying.unlink()
    with pytest.raises(InputError, match=r"modules: module 'my_comeback' .* cannot be imported"):
        load_snapshot(kept)


def test_without_the_plugin_the_type_is_unknown(tmp_path):
    with pytest.raises(InputError, match=r"strategies\.back\.type: unknown strategy type 'comeb"):
        load_settings(config(tmp_path))


def test_segue_check_knows_the_plugin(tmp_path):
    """The command runs in a separate process, as in a shell."""
    path = config(tmp_path, modules=["segue_comeback"])
    (tmp_path / "segue_comeback").symlink_to(HERE / "segue_comeback")
    check = [sys.executable, "-c", "from cli.main import main; main()", "check"]
    ran = subprocess.run([*check, "--config", path], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "everyone else: back" in ran.stdout
    path.write_text(path.read_text().replace("segue_comeback", "segue_comebakc"))
    ran = subprocess.run([*check, "--config", path], capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert "Traceback" not in ran.stderr
    assert (
        f"{path}: modules: module 'segue_comebakc' (looked for in {tmp_path} too) cannot be "
        "imported: ModuleNotFoundError: No module named 'segue_comebakc'"
    ) in " ".join(ran.stderr.split())


def test_the_plugins_own_tests_pass(tmp_path):
    """They run in a process of their own, installed as pip leaves it, with every rule."""
    shutil.copytree(HERE / "segue_comeback", tmp_path / "segue_comeback")
    shutil.copy(HERE / "test_comeback.py", tmp_path)
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "test_comeback.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"{len(RULES) + 5} passed" in ran.stdout


def test_the_plugin_imports_the_public_face_alone():
    for source in (HERE / "segue_comeback" / "__init__.py", HERE / "test_comeback.py"):
        imported = re.findall(r"^(?:from|import) (\w+)", source.read_text(), re.MULTILINE)
        assert set(imported) <= {"typing", "pydantic", "pytest", "segue", "segue_comeback"}


def test_the_contract_is_asked_of_an_installed_plugin_that_nothing_imported(installed):
    contract = contract_test("comeback")
    for rule in RULES:
        contract(rule)


def test_every_type_includes_the_plugins(installed):
    registry.load()
    assert every_type()["comeback"] == {"type": "comeback", "fallback": "random"}


def test_a_name_that_is_taken_is_an_error_that_names_both_modules(tmp_path):
    (tmp_path / "rival.py").write_text(
        "from segue import Params, strategy\n@strategy('random', Params)\nclass Rival:\n    pass\n"
    )
    with pytest.raises(
        InputError,
        match=r"modules: rival\.Rival: strategy type 'random' is taken by "
        r"strategies\.uniform\.Uniform\. Choose another",
    ):
        load_settings(config(tmp_path, modules=["rival"]))
    assert registry.find("random").module == "strategies.uniform"


def test_two_installed_plugins_of_one_name_are_an_error_that_names_both(
    installed, monkeypatch, tmp_path
):
    (tmp_path / "other_comeback.py").write_text(
        (HERE / "segue_comeback" / "__init__.py").read_text()
    )
    install(tmp_path, "other-comeback", {"zz": "other_comeback"})
    with pytest.raises(
        SegueError,
        match=r"other_comeback\.Comeback: strategy type 'comeback' is taken by "
        r"segue_comeback\.Comeback",
    ):
        registry.load()


def test_an_installed_plugin_that_fails_is_named_with_its_package(monkeypatch, tmp_path):
    (tmp_path / "broken_one.py").write_text("1 / 0\n")
    install(tmp_path, "broken-plugin", {"broken": "broken_one"})
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        SegueError,
        match=r"module 'broken_one' \(of the installed 'broken-plugin'\) cannot be imported: "
        r"ZeroDivisionError: division by zero",
    ):
        registry.load()


def test_a_name_taken_twice_in_one_module_is_an_error():
    class One:
        """One."""

    class Two:
        """Two."""

    registry.strategy("pair")(One)
    with pytest.raises(SegueError, match=r"Two: strategy type 'pair' is taken by .*One"):
        registry.strategy("pair")(Two)


def test_a_module_that_is_imported_again_registers_again():
    def made(about):
        class Again:
            pass

        Again.__doc__ = about
        return Again

    registry.strategy("again")(made("Before."))
    registry.strategy("again")(made("After."))
    assert registry.find("again").about == "After."


@pytest.mark.parametrize("key", ["type", "fallback"])
def test_a_param_may_not_take_the_name_of_what_every_entry_has(key):
    params = type("Clash", (Params,), {"__annotations__": {key: str}})
    with pytest.raises(SegueError, match=f"a param may not be called '{key}'"):
        registry.strategy("clash", params)(type("Clashing", (), {}))
    assert "clash" not in registry.known()
