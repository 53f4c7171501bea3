"""The first config.yaml of a new server, with comments that explain it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cli.first_experiment import FirstExperiment
from cli.first_lists import FirstList
from engine.settings.json_schema import MODELINE

DATA = "data"
LISTS = "lists"

_HEAD = f"""\
{MODELINE}# Written by `segue init` from {{source}}. It is yours now: change it, and let
# `segue check --config FILE` find the mistakes. docs/configuration.md explains every key. Paths are
# relative to this file.

catalog:
  tracks: {DATA}/tracks.jsonl    # all tracks that may play: id, artist and title
  top: {LISTS}/popular.json      # all tracks, the most popular first
"""

_STRATEGIES = """
# A strategy proposes what may play next. If it knows nothing (a new track, a new listener), its
# fallback is asked. `draw: rank`: the first of a list is the likeliest, and every propensity is
# logged. `unheard: session`: nothing plays twice in a session. `segue strategies` lists all types.
strategies:
  random: {type: random}
  popular: {type: top_pop, top: 100, draw: rank, unheard: session, fallback: random}
"""

_EVENTS = """
events:
  dir: log    # every decision, one JSON line each; `segue report log` reads it
"""


@dataclass(frozen=True, slots=True)
class FirstConfig:
    """The parts of a first config.

    Attributes:
        source: Name of the file of listens.
        lists: The lists, the best first.
        is_compared: Whether the lists were compared, so that their order means something.
        experiment: The first experiment; None if there is no list to compare.
    """

    source: str
    lists: Sequence[FirstList]
    is_compared: bool
    experiment: FirstExperiment | None

    @property
    def default(self) -> str:
        """Name of the strategy for listeners who are in no experiment."""
        return self.lists[0].name if self.lists else "popular"

    def text(self) -> str:
        """Return the file's text."""
        parts = [_HEAD.format(source=_one_line(self.source))]
        if self.lists:
            compared = "the best first, with their NDCG@10 on your latest sessions"
            what = compared if self.is_compared else "not compared: there were too few sessions"
            parts.append(f"  # Learnt from your listens; {what}.\n  lists:\n")
        parts += [*map(_list_lines, self.lists), _STRATEGIES, *map(_strategy_line, self.lists)]
        parts.append(f"\ndefault: {self.default}    # for listeners who are in no experiment\n")
        if self.experiment is not None:
            parts.append(_experiment_lines(self.experiment, self.is_compared))
        return "".join([*parts, _EVENTS])


def write_first_config(folder: Path, config: FirstConfig) -> Path:
    """Write config.yaml into a folder."""
    path = folder / "config.yaml"
    path.write_text(config.text(), encoding="utf-8")
    return path


def _list_lines(each: FirstList) -> str:
    score = "" if each.ndcg10 is None else f": {each.ndcg10:.4f}"
    return f"    {each.name}: {LISTS}/{each.file}\n      # {each.about}{score}\n"


def _strategy_line(each: FirstList) -> str:
    kind = "contextual" if each.key == "track" else "personal"
    return (
        f"  {each.name}: {{type: {kind}, list: {each.name}, draw: rank, unheard: session, "
        "fallback: popular}\n"
    )


def _experiment_lines(experiment: FirstExperiment, is_compared: bool) -> str:
    chosen = "The two best of your lists by NDCG@10" if is_compared else "Two of your strategies"
    lines = [
        "",
        f"# {chosen}. Offline figures tell which lists to try. Only",
        "# listeners tell which one is better: half of them get C, half T1, for good.",
        *_plan_comment(experiment),
        "experiments:",
        f"  - name: {experiment.name}",
    ]
    design = experiment.design
    if design is not None:
        lines.append(f'    salt: "{design.salts[0].salt}"')
        lines.append(
            f"    planned: {{listeners: {design.listeners}, metric: {design.metric}, "
            f"mde: {round(design.mde, 6)}, power: {design.power}, alpha: {design.alpha}}}"
        )
    arms = {"C": experiment.control, "T1": experiment.treatment}
    lines.append("    arms:")
    lines += [f"      {arm}: {{strategy: {name}, weight: 50}}" for arm, name in arms.items()]
    return "\n".join(lines) + "\n"


def _plan_comment(experiment: FirstExperiment) -> list[str]:
    design = experiment.design
    if design is None:
        return [
            f"# Not planned: {_one_line(experiment.why_not)}",
            "# Before it starts, plan it on a log: segue design log --mde 0.05",
        ]
    return [
        "# Planned as by `segue design`, on the listeners of your file: an effect of",
        f"# {design.mde:.1%} on session time needs {design.listeners:,} listeners "
        f"(power {design.power:.0%}, alpha {design.alpha:.0%}).",
        f"# The salt is the one of {len(design.salts)} that splits your listeners most evenly.",
        "# Once listeners came, change none of it: a new question gets a new name.",
    ]


def _one_line(text: str) -> str:
    """Return text that fits into a comment: YAML allows no control characters there."""
    return "".join(each if each.isprintable() else "?" for each in text)
