"""The evaluation split: sessions to fit on and to test on, and the trial of a model on them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from core.errors import InputError
from core.progress import SILENT, Progress
from training.artifacts import Provenance, save
from training.evaluation import (
    HeldOutPairs,
    OfflineMetrics,
    OffPolicyEstimator,
    evaluate,
    held_out_pairs,
)
from training.heard import HeardTracks, without_heard
from training.interactions import Interactions
from training.learning_curve import draw
from training.model import Device, FitRun, FittedModel, Model, ModelParams, known
from training.played_time import PlayedTime
from training.training_options import TrainingOptions
from training.warm_start import WarmStart

_LARGEST_VALID_SHARE = 0.1

EstimatorFactory = Callable[[Interactions], OffPolicyEstimator | None]
"""Makes an off-policy estimator of the test split; None where the split allows no estimate."""


@dataclass(frozen=True, slots=True)
class ModelTrial:
    """A fitted model with its offline metrics.

    Attributes:
        name: Name of the model, with its variant if any.
        params: Its settings.
        fitted: The fitted model.
        metrics: Offline metrics, one for each kind of list that the model gives.
        fit_s: Wall time of the fit, seconds.
        evaluation_s: Wall time of making the test split's lists and evaluating them, seconds.
        played: What its files earn in play; empty if nothing was played.
    """

    name: str
    params: ModelParams
    fitted: FittedModel
    metrics: Sequence[OfflineMetrics]
    fit_s: float
    evaluation_s: float
    played: Sequence[PlayedTime] = ()

    def write(
        self,
        folder: Path,
        log: Interactions,
        options: TrainingOptions,
        progress: Progress = SILENT,
    ) -> list[Path]:
        """Write the model's lists, and its learning curve if it learnt in epochs.

        Args:
            folder: Folder to write to; made if missing.
            log: All listens: those of the fit and those of the test split.
            options: How the model was made, for the manifests; `top` is the length of the lists.
            progress: Shows the work.

        Returns:
            The files, named after the model.
        """
        metrics = {each.key: each.as_json() for each in self.metrics}
        provenance = Provenance(self.name, self.params, options.seed, options.as_json())
        stem = self.name.replace(":", "_")
        fitted = self.fitted
        if options.heard == "out":
            fitted = without_heard(fitted, HeardTracks(log))
        files = save(
            folder, stem, fitted, log, provenance, metrics, top=options.top, progress=progress
        )
        if self.fitted.curve is not None:
            files.append(folder / f"{stem}.svg")
            draw(self.fitted.curve, self.name, files[-1])
        return files


@dataclass(frozen=True, slots=True)
class EvaluationSplit:
    """The sessions on which every model of a comparison is fitted and evaluated.

    Attributes:
        train: Earliest sessions; models that stop early are fitted on them.
        valid: Sessions after `train`; early stopping looks at them.
        train_and_valid: Both; models without early stopping are fitted on them.
        test: Latest sessions; every model is evaluated on them.
        held_out: The pairs of liked listens in `test` that a model has to predict.
        seed: Seed of every fit.
        threads: Threads of every fit.
        device: Where models of PyTorch are fitted.
        heard: What listeners heard in `train_and_valid`, if rankings leave it out; else None.
        estimate: Off-policy estimator over `test`; None where the log allows no estimate.
    """

    train: Interactions
    valid: Interactions
    train_and_valid: Interactions
    test: Interactions
    held_out: HeldOutPairs
    seed: int
    threads: int
    device: Device = "cpu"
    heard: HeardTracks | None = None
    estimate: OffPolicyEstimator | None = None

    @classmethod
    def of(
        cls,
        log: Interactions,
        options: TrainingOptions,
        estimator: EstimatorFactory | None = None,
    ) -> "EvaluationSplit":
        """Split a log by the time at which its sessions began.

        Args:
            log: All listens.
            options: The size of the test split, and where the weights of listens count.
            estimator: Makes the off-policy estimator of the test split.

        Raises:
            InputError: There are too few sessions to fit on or to test on.
        """
        train_and_valid, test = log.split(options.test_share)
        if options.selection.inverse_in == "judge":
            train_and_valid = train_and_valid.without_weights()
        elif options.selection.inverse_in == "fit":
            test = test.without_weights()
        # The validation split only has to show when the loss stops falling, so it never needs
        # more than a tenth, however large a test split the user asks for.
        train, valid = train_and_valid.split(min(options.test_share, _LARGEST_VALID_SHARE))
        held_out = held_out_pairs(test, options.liked)
        heard = HeardTracks(train_and_valid) if options.heard == "out" else None
        if heard is not None:
            held_out = held_out.where(~heard.has(held_out.user, held_out.track))
        if not len(train) or not len(held_out):
            raise InputError.one(
                "the log",
                f"has {log.sessions} sessions with {len(log)} listens, too few to learn from "
                f"{train.sessions} and to test on {len(held_out)} pairs of the rest. Give more "
                "logs, a larger --late or a smaller --liked",
            )
        estimate = estimator(test) if estimator else None
        return cls(
            train, valid, train_and_valid, test, held_out, options.seed, options.threads,
            options.device, heard, estimate,
        )  # fmt: skip

    def evaluate_model(
        self,
        name: str,
        model: Model,
        params: ModelParams,
        progress: Progress,
        start: WarmStart | None = None,
    ) -> ModelTrial:
        """Fit a model, from what an earlier fit left if it is given, and evaluate its lists."""
        run = FitRun(self.valid, self.seed, self.threads, progress, self.device, start)
        progress.start(f"{name}: fit")
        began = perf_counter()
        stops_early = known()[name.partition(":")[0]].stops_early
        fitted = model.fit(self.train if stops_early else self.train_and_valid, run)
        fit_s = perf_counter() - began
        progress.start(f"{name}: evaluate")
        began = perf_counter()
        judged = fitted if self.heard is None else without_heard(fitted, self.heard)
        metrics = [
            evaluate(
                judged, key, self.train_and_valid, self.test, self.held_out,
                heard=self.heard, estimate=self.estimate,
            )
            for key in judged.rankers
        ]  # fmt: skip
        return ModelTrial(name, params, fitted, metrics, fit_s, perf_counter() - began)
