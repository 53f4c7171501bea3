"""A comparison: models fitted on the earlier sessions and evaluated on the latest ones."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from core.progress import Progress
from training.comparison_table import markdown_of, report
from training.evaluation_split import EstimatorFactory, EvaluationSplit, ModelTrial
from training.interactions import Interactions
from training.model import Model, ModelParams, build, known
from training.played_time import Play, PlayFiles, only_played
from training.training_options import TrainingOptions

BASELINES = ("random", "popular")
"""Models that are part of every comparison."""

NamedModel = tuple[str, Model, ModelParams]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Models that were evaluated on one split.

    Attributes:
        split: The sessions.
        trials: The models, in the order of the table.
        files: Files that were written for them.
        play_about: What the figures of play are; empty if nothing was played.
    """

    split: EvaluationSplit
    trials: Sequence[ModelTrial]
    files: Sequence[Path]
    play_about: str = ""

    def report(self) -> dict[str, Any]:
        """Everything as plain values."""
        return report(self.split, self.trials, self.play_about)

    def save(self, folder: Path, options: TrainingOptions) -> dict[str, Any]:
        """Write `comparison.json` and `comparison.md`.

        Returns:
            The content of `comparison.json`.
        """
        content = self.report() | {"options": options.as_json()}
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "comparison.json").write_text(json.dumps(content, indent=2) + "\n")
        table = markdown_of(self.split, self.trials, self.play_about)
        (folder / "comparison.md").write_text(table)
        return content


def all_variants() -> dict[str, str]:
    """All models with all variants, each with the package that it needs: cheap ones first."""
    found = sorted(known().values(), key=lambda each: (each.name not in BASELINES, each.needs))
    return {
        f"{each.name}:{variant}" if variant else each.name: each.needs
        for each in found
        for variant in each.variants
    }


def missing_packages() -> dict[str, list[str]]:
    """Packages that models need and that are not installed -> names of these models."""
    missing: dict[str, list[str]] = {}
    for name, package in all_variants().items():
        if package and find_spec(package) is None:
            missing.setdefault(package, []).append(name)
    return dict(sorted(missing.items()))


def build_models(
    names: Sequence[str] | None, missing: Mapping[str, Sequence[str]]
) -> list[NamedModel]:
    """Build the models of a comparison, the baselines always among them.

    Args:
        names: Models as `name` or `name:variant`; None for all that are installed.
        missing: From `missing_packages`; these models are left out where `names` is None.

    Raises:
        InputError: There is no such model or variant.
    """
    if names is None:
        left_out = {name for models in missing.values() for name in models}
        names = [name for name in all_variants() if name not in left_out]
    wanted = [*(baseline for baseline in BASELINES if baseline not in names), *names]
    return [(name, *build(name)) for name in wanted]


def train_one(
    log: Interactions,
    model: NamedModel,
    to: Path,
    options: TrainingOptions,
    estimator: EstimatorFactory | None,
    progress: Progress,
) -> Comparison:
    """Fit one model, write its lists, and evaluate it together with the baselines.

    The model comes first, so that its lists are on the disk before the baselines take their time.
    """
    name = model[0]
    split = EvaluationSplit.of(log, options, estimator)
    trial = split.evaluate_model(*model, progress)
    files = trial.write(to, log, options, progress)
    baselines = [
        split.evaluate_model(baseline, *build(baseline), progress)
        for baseline in (() if name in BASELINES else BASELINES)
    ]
    return Comparison(split, [*baselines, trial], files)


def compare(
    log: Interactions,
    models: Sequence[NamedModel],
    to: Path | None,
    options: TrainingOptions,
    estimator: EstimatorFactory | None,
    progress: Progress,
    play: Play | None = None,
) -> Comparison:
    """Evaluate models one after another; a model that Ctrl-C ended is the last.

    Args:
        log: All listens.
        models: From `build_models`.
        to: Folder for the lists of every model but `random`; None to write no lists.
        options: How the models are fitted and evaluated.
        estimator: Makes the off-policy estimator of the test split.
        progress: Shows the work.
        play: Plays the files of each model; None to play nothing.
    """
    split = EvaluationSplit.of(log, options, estimator)
    trials: list[ModelTrial] = []
    files: list[Path] = []
    for trial in _evaluate_in_turn(split, models, progress):
        trials.append(trial if play is None else _played(trial, play, log, options, progress))
        if to is not None and trial.name != "random":
            files += trial.write(to, log, options, progress)
    return Comparison(split, trials, files, "" if play is None else play.about)


def _played(
    trial: ModelTrial, play: Play, log: Interactions, options: TrainingOptions, progress: Progress
) -> ModelTrial:
    """Play the files that the model would write; a model that Ctrl-C ended is not played."""
    if trial.fitted.interrupted:
        return trial
    with TemporaryDirectory(prefix="segue-play-") as made:
        played = replace(trial, fitted=only_played(trial.fitted))
        written = played.write(Path(made), log, options, progress)
        return replace(trial, played=play(PlayFiles.of(trial.name, written), progress))


def _evaluate_in_turn(
    split: EvaluationSplit, models: Sequence[NamedModel], progress: Progress
) -> Iterator[ModelTrial]:
    for name, model, params in models:
        trial = split.evaluate_model(name, model, params, progress)
        yield trial
        if trial.fitted.interrupted:
            progress.say(f"Interrupted at {name}: the models after it were not tried.")
            break
