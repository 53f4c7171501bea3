"""The page and the JSON of a report, on logs whose effects are known."""

import csv
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path

import jsonschema
import pytest
from rich.console import Console

from analysis.checks.result import CheckResult, Example, Status, ValidityReport
from analysis.effects.experiments import analyse_experiment
from analysis.effects.metrics import STANDARD
from analysis.effects.report_options import ReportOptions
from analysis.effects.results import ExperimentResult, Report
from analysis.rendering import cells
from analysis.rendering.effects_table import PARTS, to_csv, to_markdown
from analysis.rendering.json_report import to_json
from analysis.rendering.page import page
from analysis.rendering.terminal import show
from analysis.report import provenance_of
from core.allocation import Arm, Experiment
from events.reader import open_log
from tests import logs

PASSED = CheckResult("assignment", "Is it so?", Status.PASSED, "all agree")
FAILED = CheckResult(
    "sample-ratio", "Even?", Status.FAILED, "p = 1e-9", "Listeners <b> are missing.",
    examples=(Example("log/a.jsonl:7", "listener 3 is & is not"),),
)  # fmt: skip
SCHEMA = json.loads(
    (resources.files("analysis") / "rendering" / "report.schema.json").read_text(encoding="utf-8")
)


def made(folder: Path, checks: tuple[CheckResult, ...], forced: bool = False) -> Report:
    """A report of three arms; the same arguments give the same log."""
    arms = {"C": logs.Effect(fallback=0.1), "T1": logs.Effect(lift=0.5), "T2": logs.Effect()}
    plan = logs.Plan(arms=arms, listeners=450, sessions=2, days=3, before_days=1)
    logs.write_ours(folder, logs.listening(plan), servers=2)
    options = ReportOptions(
        STANDARD[0], STANDARD[1:], segments=("listener",), even_if_invalid=forced
    )
    with open_log([folder]) as log:
        result = analyse_experiment(
            log, "fallback", ValidityReport("fallback", checks), None, options
        )
        return Report(provenance_of(log, "0.1.0", "segue report <log>"), (result,))


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return made(tmp_path_factory.mktemp("sound"), (PASSED,))


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return made(tmp_path_factory.mktemp("broken"), (PASSED, FAILED))


class Outline(HTMLParser):
    """Tags, ids and attributes of a page; notes a tag that was closed out of turn."""

    VOID = frozenset({"meta", "br", "hr", "img", "input", "link", "li"})

    def __init__(self, content: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.ids: list[str] = []
        self.labels: list[str] = []
        self.links: list[str] = []
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag not in self.VOID:
            self.open.append(tag)
        if "id" in given:
            self.ids.append(given["id"] or "")
        if tag == "svg":
            self.labels.append(given.get("aria-label") or "")
        for name, value in given.items():
            if name in ("href", "src", "xlink:href", "clip-path", "action"):
                self.links.append(value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.handle_starttag(tag, attrs)
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID and (not self.open or self.open.pop() != tag):
            self.wrong.append(tag)


def test_the_page_is_well_formed_and_needs_no_network(sound: Report) -> None:
    content = page(sound)
    outline = Outline(content)
    assert outline.wrong == outline.open == []
    assert len(outline.ids) == len(set(outline.ids))
    for link in outline.links:
        inside = re.fullmatch(r"url\(#(.+)\)|#(.+)", link)
        assert inside, link
        assert (inside[1] or inside[2]) in outline.ids
    assert "<script" not in content
    assert not re.search(r"@import|url\((?!#)", content)
    addresses = set(re.findall(r"https?://[^\s\"'<]+", content))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


def test_every_chart_has_a_description_in_words(sound: Report) -> None:
    labels = Outline(page(sound)).labels
    assert len(labels) == 8
    assert all(len(label) > 20 for label in labels)
    shares = "; ".join(f"{arm.name} {arm.share:.1%}" for arm in sound.experiments[0].arms)
    assert f"Cumulative share of listeners by arm. At the end: {shares}." in labels


def test_the_page_shows_verdict_checks_effects_allocation_and_provenance_in_this_order(
    sound: Report,
) -> None:
    content = page(sound)
    (result,) = sound.experiments
    marks = [
        result.verdicts[0],
        "Checked before any effect",
        "<h2>Effects",
        "Effect of each",
        "Sample ratio over time",
        "<h2>By listener",
        "<h2>Allocation",
        "What this report is made of",
    ]
    places = [content.index(mark) for mark in marks]
    assert places == sorted(places)
    for path, _, lines, checksum in sound.provenance.files:
        assert path in content
        assert checksum in content
        assert f"{lines:,}" in content
    assert "0123456789ab" in content
    assert "segue report &lt;log&gt;" in content


def test_a_check_that_was_not_made_stands_last_and_apart(tmp_path: Path) -> None:
    skipped = CheckResult("played", "Was it played?", Status.NOT_MADE, "turns tell more")
    content = page(made(tmp_path, (skipped, PASSED)))
    assert "Valid: 1 passed, 1 not made" in content
    assert content.index('<li class="passed"') < content.index('<li class="not-made"')


def test_a_failed_check_leaves_no_effect_on_the_page(broken: Report) -> None:
    content = page(broken)
    assert "INVALID, effects withheld: failed sample-ratio" in content
    assert "Listeners &lt;b&gt; are missing." in content
    assert "<code>log/a.jsonl:7</code> listener 3 is &amp; is not" in content
    assert "<svg" not in content
    assert "lift" not in content.partition("</style>")[2]
    assert "<h2>Allocation" in content


def test_effects_of_an_invalid_experiment_stand_under_a_red_banner(tmp_path: Path) -> None:
    content = page(made(tmp_path, (FAILED,), forced=True)).partition("</style>")[2]
    assert content.index('class="card banner"') < content.index("<h2>Effects")
    assert "good-text" not in content
    assert "var(--good)" not in content


def test_each_check_opens_to_its_question_and_examples_and_a_failed_one_is_open(
    broken: Report,
) -> None:
    content = page(broken)
    failed, passed = content.split('<li class="failed">')[1].split('<li class="passed">')
    assert failed.startswith("<details open><summary>")
    assert "<p>Even? <i>failed</i></p>" in failed
    assert "<li><code>log/a.jsonl:7</code> listener 3 is &amp; is not</li>" in failed
    assert passed.startswith("<details><summary>")
    assert "<p>Is it so? <i>passed</i></p>" in passed


def test_a_page_of_several_experiments_begins_with_a_line_that_leads_to_each(
    sound: Report, broken: Report
) -> None:
    both = Report(sound.provenance, (sound.experiments[0], broken.experiments[0]))
    content = page(both)
    contents = content[content.index("<nav") : content.index("</nav>")]
    assert [link for link in Outline(content).links if link.startswith("#e")] == ["#e0", "#e1"]
    assert 'section class="experiment" id="e0"' in content
    assert 'section class="experiment" id="e1"' in content
    effect = sound.experiments[0].primary[0]
    assert f"T1 {cells.lift(effect)} {cells.bounds(effect)}" in contents
    assert "INVALID, effects withheld" in contents
    assert "<nav" not in page(sound)


def test_a_phone_shows_every_interval_in_the_table_and_beside_the_plot(sound: Report) -> None:
    content = page(sound)
    (result,) = sound.experiments
    narrow = content.split('<div class="narrow">')[1].split("</svg>")[0]
    for effect in (*result.primary, *result.secondary, *result.guardrails):
        assert f'data-label="interval, %">{cells.bounds(effect)}</td>' in content
        assert cells.bounds(effect) in narrow
    for table in content.split('<table class="stacked">')[1:]:
        cells_of_table = re.findall(r"<td[^>]*>", table.split("</table>")[0])
        named = [tag for tag in cells_of_table if "data-label" in tag]
        assert named
        others = [tag for tag in cells_of_table if tag not in named]
        assert all('class="head"' in tag or "colspan" in tag for tag in others)


def test_the_colours_are_explained_where_they_stand(sound: Report, tmp_path: Path) -> None:
    legend = page(sound).split('<ul class="legend">')[1].split("</ul>")[0]
    assert "better, and the claim holds" in legend
    assert "may be chance" in legend
    invalid = page(made(tmp_path, (FAILED,), forced=True))
    assert "All grey: a check failed, so no claim holds." in invalid


def test_the_csv_has_a_row_for_each_effect_and_the_numbers_of_the_json(sound: Report) -> None:
    (result,) = sound.experiments
    rows = list(csv.DictReader(io.StringIO(to_csv(sound))))
    effects = [
        *result.primary, *result.alternatives, *result.secondary, *result.guardrails,
        *(segment.effect for part in result.segments for segment in part.segments),
    ]  # fmt: skip
    assert len(rows) == len(effects)
    assert {row["part"] for row in rows} == {*PARTS, "segments"}
    for row, effect in zip(rows, effects, strict=True):
        assert row["experiment"] == "fallback"
        assert row["treatment"] == effect.treatment
        assert effect.lift is not None
        assert float(row["lift_low"]) == pytest.approx(effect.lift.low, rel=1e-8)
        assert int(row["treatment_n"]) == effect.treatment_n
    assert rows[-1]["segment_of"] == "listener"


def test_withheld_effects_stand_neither_in_the_csv_nor_in_the_markdown(broken: Report) -> None:
    assert to_csv(broken).count("\n") == 1
    content = to_markdown(broken)
    assert "INVALID, effects withheld: failed sample-ratio" in content
    assert "| metric |" not in content


def test_the_markdown_has_a_table_whose_cells_data_cannot_break(sound: Report) -> None:
    (result,) = sound.experiments
    odd = replace(result.primary[0], treatment="T|1 [x](y)", method="")
    lines = to_markdown(
        Report(sound.provenance, (replace(result, primary=(odd,), alternatives=()),))
    ).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 2 + 1 + len(result.secondary) + len(result.guardrails)
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1
    assert r"T\|1 \[x\](y)" in table[2]


def test_the_verdict_names_the_strategies_of_the_arms(tmp_path: Path) -> None:
    logs.write_ours(tmp_path, logs.listening(logs.Plan(listeners=200, sessions=1)))
    arms = (Arm("C", 1.0, "plain"), Arm("T1", 1.0, "improved"))
    types = {"plain": "plain", "improved": "contextual_and_popular"}
    with open_log([tmp_path]) as log:
        result = analyse_experiment(
            log, "fallback", ValidityReport("fallback", ()), Experiment("fallback", arms),
            ReportOptions(STANDARD[0], STANDARD[1:]), types,
        )  # fmt: skip
    assert result.verdicts[0].startswith("T1 (improved, contextual_and_popular) ")
    assert " against C (plain)" in result.verdicts[0]


def test_the_same_log_gives_the_same_page(sound: Report, tmp_path: Path) -> None:
    again = made(tmp_path, (PASSED,))
    same = Report(sound.provenance, again.experiments)
    assert page(same) == page(sound)


@pytest.mark.parametrize("kind", ["sound", "broken"])
def test_the_json_keeps_its_schema(kind: str, request: pytest.FixtureRequest) -> None:
    content = json.loads(to_json(request.getfixturevalue(kind)))
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(content, SCHEMA)
    content["experiments"][0]["surprise"] = 1
    with pytest.raises(jsonschema.ValidationError, match="surprise"):
        jsonschema.validate(content, SCHEMA)


def test_an_experiment_of_one_arm_has_nothing_to_compare(tmp_path: Path) -> None:
    logs.write_ours(tmp_path, logs.listening(logs.Plan(arms={"C": logs.Effect()}, listeners=60)))
    with open_log([tmp_path]) as log:
        options = ReportOptions(STANDARD[0], STANDARD[1:])
        result: ExperimentResult = analyse_experiment(
            log, "fallback", ValidityReport("fallback", ()), None, options
        )
        report = Report(provenance_of(log, "0", "segue report"), (result,))
    assert result.verdicts == ("only arm C has listeners: there is nothing to compare",)
    assert "nothing to compare" in page(report)
    jsonschema.validate(json.loads(to_json(report)), SCHEMA)


@pytest.mark.parametrize("kind", ["an-arm-that-nobody-was-in", "everybody-was-forced"])
def test_a_report_can_be_made_of_arms_without_listeners(kind: str, tmp_path: Path) -> None:
    events = logs.listening(logs.Plan(listeners=60, sessions=1))
    if kind == "everybody-was-forced":
        for event in events:
            event["forced"] = True
    logs.write_ours(tmp_path, events)
    definition = Experiment("fallback", tuple(Arm(name, 1.0) for name in ("C", "T1", "T9")))
    with open_log([tmp_path]) as log:
        options = ReportOptions(STANDARD[0], STANDARD[1:], all_pairs=True, segments=("day",))
        result = analyse_experiment(
            log, "fallback", ValidityReport("fallback", ()), definition, options
        )
        report = Report(provenance_of(log, "0", "segue report"), (result,))
    assert [arm.name for arm in result.arms] == ["C", "T1", "T9"]
    assert result.arms[2].listeners == 0
    unknown = [effect for effect in result.primary if "T9" in (effect.control, effect.treatment)]
    assert len(unknown) == 2
    assert all(effect.lift is effect.p is None for effect in unknown)
    assert "no estimate" in result.verdicts[1]
    assert Outline(page(report)).wrong == []
    jsonschema.validate(json.loads(to_json(report)), SCHEMA)
    with Console(file=io.StringIO(), width=80) as console:
        show(report, console)
