"""The page and the JSON of a report, on logs whose effects are known."""

import io
import json
import re
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
