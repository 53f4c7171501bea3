"""`segue verify` as somebody at a terminal meets it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from audit.log_faults import CleanLog, tear_line, write
from cli import main
from core.errors import InputError
from tests.analysis.trial_log import trial_log

BOTIFY_LOGS = Path(__file__).parents[3] / "shared" / "botify" / "logs"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sound")


@pytest.fixture(scope="module")
def clean(folder: Path) -> CleanLog:
    return trial_log(folder, sessions=300, listeners=100)[0]


def verify(*arguments: object) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(
        main.build(), ["verify", *(str(argument) for argument in arguments)]
    )


def test_a_clean_log_is_valid(clean: CleanLog, folder: Path) -> None:
    result = verify(folder / "log")

    assert result.exit_code == 0, result.output
    assert "fallback is valid: no check failed." in result.output
    assert f"{len(clean.events):,} of {len(clean.events):,} lines agree" in result.output


def test_a_failed_check_ends_with_1_and_names_the_line(
    clean: CleanLog, folder: Path, tmp_path: Path
) -> None:
    write(tear_line(clean), tmp_path)
    (tmp_path / "configs").symlink_to(folder / "log" / "configs")

    result = verify(tmp_path)

    assert result.exit_code == 1, result.output
    assert "fallback is not valid: lines" in result.output
    line = len(clean.events) // 2 + 1
    assert f"{tmp_path}/events-1.jsonl:{line}: torn line" in result.output


def test_a_tolerated_failure_is_a_warning(clean: CleanLog, folder: Path, tmp_path: Path) -> None:
    write(tear_line(clean), tmp_path)
    configs = tmp_path / "elsewhere"
    configs.symlink_to(folder / "log" / "configs")

    result = verify(
        tmp_path, "--configs", configs, "--tolerate", "lines", "--tolerate", "turns", "--json"
    )

    assert result.exit_code == 0, result.output
    (validity,) = json.loads(result.output)
    assert validity["valid"] is True
    lines = next(check for check in validity["checks"] if check["name"] == "lines")
    assert lines["status"] == "warning"
    assert lines["explanation"].startswith("Failed, and tolerated by the caller.")


def test_a_log_without_its_configs_proves_nothing(clean: CleanLog, tmp_path: Path) -> None:
    write(clean.copy(), tmp_path)

    result = verify(tmp_path)

    assert result.exit_code == 1
    assert "config, assignment, served" in result.output
    assert "put that folder beside these" in " ".join(result.output.split())


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["nowhere.jsonl"], "nowhere.jsonl: is not there"),
        (["LOG", "--experiment", "falback"], "Did you mean 'fallback'?"),
        (["LOG", "--tolerate", "line"], "Did you mean 'lines'?"),
        (["LOG", "--botify-arms", "AA"], "must be NAME=ARM,ARM"),
        (["LOG", "--configs", "nowhere"], "nowhere: must be a folder of config snapshots"),
        (["LOG", "--listeners", "LISTENERS"], "listeners.jsonl:2: must have a `user`"),
    ],
    ids=[
        "no-file",
        "unknown-experiment",
        "unknown-check",
        "arms-without-arms",
        "no-folder",
        "no-user",
    ],
)
def test_faulty_input_ends_with_2(
    arguments: list[str],
    complaint: str,
    clean: CleanLog,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    listeners = tmp_path / "listeners.jsonl"
    listeners.write_text('{"user": 1}\n{"user": 1.5}\n')
    named = {"LOG": str(folder / "log"), "LISTENERS": str(listeners)}
    given = [named.get(argument, argument) for argument in arguments]
    monkeypatch.setattr("sys.argv", ["segue", "verify", *given])
    monkeypatch.setenv("COLUMNS", "200")

    with pytest.raises(SystemExit) as ended:
        main.main()

    assert ended.value.code == 2
    assert complaint in capsys.readouterr().err


def test_the_list_of_all_listeners_makes_the_ratio_sharper(
    clean: CleanLog, folder: Path, tmp_path: Path
) -> None:
    everybody = tmp_path / "users.json"
    everybody.write_text("".join(f'{{"user": {user}}}\n' for user in range(100)))

    result = verify(folder / "log", "--listeners", everybody, "--json")

    (validity,) = json.loads(result.output)
    population = validity["checks"][-1]
    assert population["name"] == "population"
    assert population["status"] == "passed"
    assert sum(population["numbers"]["expected"].values()) == 100


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        (
            "custom",
            0,
            ["3 of 17,275 listens", "in the wrong order", "19,275 of 19,275 lines agree"],
        ),
        ("homework", 0, ["33,944 listens", "37,944 of 37,944 lines agree"]),
        (
            "sticky_artist",
            1,
            [
                "at least 32,236 lines are not in these files, 32% of all",
                "87,500 of 87,500 lines agree",
            ],
        ),
    ],
)
def test_real_logs_of_botify(name: str, code: int, words: list[str]) -> None:
    if not (BOTIFY_LOGS / name).exists():
        pytest.skip(f"../shared/botify/logs/{name} is not here")

    result = verify(BOTIFY_LOGS / name)

    assert result.exit_code == code, result.output
    for expected in words:
        assert expected in result.output
    assert "Only a canary can tell" in result.output


def test_moments_are_verified_with_and_without_a_log(folder: Path, tmp_path: Path) -> None:
    added = verify(folder / "log", "--moments", tmp_path / "kept")
    again = verify("--moments", tmp_path / "kept", "--json")

    assert added.exit_code == again.exit_code == 0, added.output + again.output
    assert "fallback is valid: no check failed." in added.output
    (alone,) = json.loads(verify(folder / "log", "--json").output)
    (kept,) = json.loads(again.output)
    assert kept == alone
    twice = verify(folder / "log", "--moments", tmp_path / "kept")
    assert "must not share a file" in str(twice.exception)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "name at least one event file or folder, or --moments FOLDER"),
        (("--moments", "nowhere"), "must be moments that .* wrote, has no part"),
        (("--moments", "kept", "--canary", "T1=1"), "a part keeps no single answer"),
        (("--moments", "kept", "--since", "2026-01-01"), "got a time window too"),
    ],
    ids=["nothing", "no-moments", "a-canary", "a-window"],
)
def test_what_cannot_be_verified_of_moments_is_refused(
    arguments: tuple[str, ...], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        raise verify(*arguments).exception or AssertionError("it ran")
