"""`segue report` as somebody at a terminal meets it, on logs that our server wrote."""

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from audit.injected_faults import known_faults
from audit.log_faults import LOG_FAULTS, CleanLog, LogFault, write
from cli import main
from tests.analysis.trial_log import ArchivedConfigs, trial_log

Base = tuple[CleanLog, ArchivedConfigs, Path]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    folder = tmp_path_factory.mktemp("reported")
    return *trial_log(folder), folder


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without a config.yaml: the one of this checkout has plans of its own."""
    monkeypatch.chdir(tmp_path)


def report(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main.build(), ["report", *map(str, arguments)])


def test_moments_give_the_report_again_without_the_log(base: Base, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    first = report(base[2] / "log", "--moments", kept, "--json")
    again = report("--moments", kept, "--json")
    assert first.exit_code == again.exit_code == 0, first.output + again.output
    one, two = json.loads(first.stdout), json.loads(again.stdout)
    assert one["experiments"] == two["experiments"]
    assert one["experiments"][0]["validity"]["valid"]


def test_a_clean_log_gets_a_verdict(base: Base) -> None:
    result = report(base[2] / "log")
    assert result.exit_code == 0, result.output
    assert "Validity: valid" in result.output
    assert "mean session time" in result.output
    assert "promised 50.0%" in result.output
    assert "no planned size" in result.output


@pytest.mark.parametrize("fault", known_faults(), ids=lambda fault: fault.name.replace(" ", "-"))
def test_an_injected_fault_withholds_the_effects(
    fault: LogFault, base: Base, tmp_path: Path
) -> None:
    clean, _, folder = base
    write(fault.inject(clean), tmp_path)
    (tmp_path / "configs").symlink_to(folder / "log" / "configs")

    result = report(tmp_path, "--json")

    assert result.exit_code == 1
    content = json.loads(result.stdout)
    assert not content["valid"]
    for result in content["experiments"]:
        assert result["withheld"]
        assert result["verdicts"][0].startswith("INVALID, effects withheld: failed ")
        assert not any(
            result[part]
            for part in ("primary", "alternatives", "secondary", "guardrails", "over_time")
        )


def test_the_page_is_written_and_the_same_command_writes_the_same_bytes(
    base: Base, tmp_path: Path
) -> None:
    first, second = tmp_path / "first.html", tmp_path / "second.html"
    assert f"Wrote {first}" in report(base[2] / "log", "--html", first).output.replace("\n", "")
    assert report(base[2] / "log", "--html", second, "--json").exit_code == 0
    assert first.read_bytes() == second.read_bytes()
    assert b"mean session time" in first.read_bytes()


def test_effects_of_an_invalid_log_are_shown_only_on_demand_and_under_a_banner(
    base: Base, tmp_path: Path
) -> None:
    clean, _, folder = base
    torn = next(fault for fault in LOG_FAULTS if fault.name == "torn line")
    write(torn.inject(clean), tmp_path)
    (tmp_path / "configs").symlink_to(folder / "log" / "configs")
    result = report(tmp_path, "--even-if-invalid")
    assert result.exit_code == 0
    assert "INVALID: the effects below prove nothing" in result.output
    assert "guardrails" in result.output


def test_the_size_planned_by_config_chooses_the_interval(base: Base, tmp_path: Path) -> None:
    config = with_plan(base, tmp_path, "{listeners: 300, metric: total_time}")
    content = json.loads(report(base[2] / "log", "--config", config, "--json").stdout)
    (result,) = content["experiments"]
    plan = {key: result["plan"][key] for key in ("listeners", "source", "seen", "counted")}
    assert plan == {
        "listeners": 300, "source": "config", "seen": 400 - _absent(base), "counted": 300,
    }  # fmt: skip
    assert result["inference"] == "fixed"
    assert "long" in [effect["metric"]["name"] for effect in result["secondary"]]
    assert result["primary"][0]["metric"]["name"] == "total_time"
    by_hand = json.loads(
        report(base[2] / "log", "--config", config, "--planned", 90_000, "--json").stdout
    )
    assert by_hand["experiments"][0]["inference"] == "always-valid"


def _absent(base: Base) -> int:
    return 400 - len({event["user"] for event in base[0].events})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--metric", "skips"], "--metric: must be NAME=VALUE, got 'skips'"),
        (["--primary", "fun"], "unknown metric 'fun'. Known: chosen_time"),
        (["--experiment", "falback"], "unknown experiment 'falback'. Did you mean 'fallback'"),
        (["--control", "T9"], "--control: unknown arm 'T9'"),
        (["--metric", "x=nothing"], "metric x: must be an SQL expression over the listener table"),
    ],
    ids=["metric", "primary", "experiment", "control", "expression"],
)
def test_a_faulty_option_ends_with_2_and_names_the_known_values(
    base: Base,
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.argv", ["segue", "report", str(base[2] / "log"), *arguments])
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_a_faulty_plan_is_named_with_its_place(base: Base, tmp_path: Path) -> None:
    config = with_plan(base, tmp_path, "{listeners: many}")
    error = report(base[2] / "log", "--config", config).exception
    assert f"{config}: experiments.fallback.planned.listeners: input should be a" in str(error)


def sealed_log(base: Base, folder: Path, planned: dict[str, object]) -> Path:
    """The log with the record of an experiment that started with this plan."""
    log = folder / "log"
    log.mkdir()
    for path in (base[2] / "log").iterdir():
        if path.name != "started":
            (log / path.name).symlink_to(path)
    (log / "started").mkdir()
    definition = {"name": "fallback", "version": 1}
    record = {"definition": definition, "started_ms": 1, "planned": planned}
    (log / "started/fallback@1.json").write_text(json.dumps(record))
    return log


def test_the_sealed_plan_counts_and_not_the_config_of_now(base: Base, tmp_path: Path) -> None:
    log = sealed_log(base, tmp_path, {"listeners": 320, "metric": "session_time"})
    config = with_plan(base, tmp_path, "{listeners: 90, metric: session_time}")
    content = json.loads(report(log, "--config", config, "--json").stdout)
    (result,) = content["experiments"]
    assert (result["plan"]["listeners"], result["plan"]["source"]) == (320, "sealed")
    said = f"first 320 of {400 - _absent(base)} listeners, as planned; plan sealed at the start"
    assert said in result["verdicts"][0]
    assert any("config.yaml has a different plan now" in note for note in result["notes"])


def test_a_size_that_is_given_afterwards_stands_in_the_verdict(base: Base, tmp_path: Path) -> None:
    log = sealed_log(base, tmp_path, {"listeners": 320})
    for size, said in ((100, "planned size given afterwards, 320 was sealed"),
                       (320, "plan sealed at the start")):  # fmt: skip
        content = json.loads(report(log, "--planned", size, "--json").stdout)
        (verdict,) = content["experiments"][0]["verdicts"]
        assert said in verdict
    (tmp_path / "log/started/fallback@1.json").unlink()
    verdict = report(log, "--planned", 100).output
    assert "planned size given afterwards" in verdict
    assert "was sealed" not in verdict


def test_a_sealed_plan_that_cannot_be_used_is_named(base: Base, tmp_path: Path) -> None:
    log = sealed_log(base, tmp_path, {"listeners": "many"})
    result = report(log)
    assert "The plan that was sealed cannot be used: listeners is 'many'." in " ".join(
        result.output.split()
    )
    assert "no planned size" in result.output


def test_the_report_warns_if_the_metric_differs_from_the_planned_one(
    base: Base, tmp_path: Path
) -> None:
    config = with_plan(base, tmp_path, "{listeners: 300, metric: total_time}")
    result = report(base[2] / "log", "--config", config, "--primary", "tracks")
    assert "The plan was made for total_time, the verdict is about tracks" in " ".join(
        result.output.split()
    )


def test_the_margins_of_config_make_a_metric_a_guardrail_and_name_harm_in_the_verdict(
    base: Base, tmp_path: Path
) -> None:
    config = with_plan(base, tmp_path, "{listeners: 300}")
    content = yaml.safe_load(config.read_text())
    content["report"]["guardrails"] = {
        "latency": "60000 ms",
        "latency_p99": "0.5 ms",
        "tracks": "0.01 %",
        "sessions": 9,
    }
    config.write_text(yaml.safe_dump(content))
    (result,) = json.loads(report(base[2] / "log", "--config", config, "--json").stdout)[
        "experiments"
    ]
    margins = {effect["metric"]["name"]: effect["margin"] for effect in result["guardrails"]}
    assert margins == {
        "sessions": "9", "fallbacks": "1 pp", "latency": "60000 ms", "latency_p99": "0.5 ms",
        "tracks": "0.01 %",
    }  # fmt: skip
    guards = {effect["metric"]["name"]: effect["guard"] for effect in result["guardrails"]}
    assert (guards["latency"], guards["sessions"]) == ("within", "within")
    assert guards["tracks"] in ("beyond", "unclear")
    said = "beyond its margin: tracks per session (0.01 %)" in result["verdicts"][0]
    assert said == (guards["tracks"] == "beyond")


def test_the_table_is_written_as_csv_and_markdown(base: Base, tmp_path: Path) -> None:
    csv, markdown = tmp_path / "e.csv", tmp_path / "e.md"
    result = report(base[2] / "log", "--csv", csv, "--markdown", markdown)
    assert f"Wrote {csv}" in result.output.replace("\n", "")
    assert csv.read_text().startswith("experiment,valid,part,metric,")
    assert "| **mean session time** | C | T1 |" in markdown.read_text()


def test_the_report_replays_a_small_log_and_says_how_to_ask_for_it(base: Base) -> None:
    made = json.loads(report(base[2] / "log", "--json").stdout)["experiments"][0]["validity"]
    (check,) = [each for each in made["checks"] if each["name"] == "replay"]
    assert check["status"] == "passed"
    left = json.loads(report(base[2] / "log", "--no-replay", "--json").stdout)
    (check,) = [
        each for each in left["experiments"][0]["validity"]["checks"] if each["name"] == "replay"
    ]
    assert check["status"] == "not made"
    assert "--replay" in check["explanation"]


def with_plan(base: Base, folder: Path, plan: str) -> Path:
    """The log's config with a plan for its experiment, and a metric of its own."""
    content = yaml.safe_load((base[2] / "config.yaml").read_text())
    content["experiments"][0]["planned"] = yaml.safe_load(plan)
    content["report"] = {"metrics": {"long": "CAST(mean_time_all > 2 AS INT)"}}
    path = folder / "planned.yaml"
    path.write_text(yaml.safe_dump(content))
    return path
