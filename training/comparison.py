"""Models beside each other: fitted on the earlier sessions, judged on the later ones."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from rich.table import Table

from core.errors import InputError
from training.artifacts import OWNER, Provenance, save
from training.evaluation import (
    Earned,
    Estimator,
    HeldOutPairs,
    OfflineMetrics,
    evaluate,
    held_out_pairs,
)
from training.interactions import Interactions
from training.learning_curve import draw
from training.listen_sources import Inverse
from training.model import Fitted, Model, Params, Run, known
from training.progress import SILENT, Progress

FLOORS = ("random", "popular")
"""What is in every comparison."""

COLUMNS = (
    ("NDCG@10", "ndcg10"),
    ("NDCG@100", "ndcg100"),
    ("recall@10", "recall10"),
    ("recall@100", "recall100"),
    ("MRR", "mrr"),
)
BEYOND = (
    ("coverage", "coverage"),
    ("Gini", "gini"),
    ("novelty", "novelty"),
    ("artists", "artists"),
    ("answered", "answered"),
)

_WIDE = 190
_LESS = ("recall@10", "MRR", "coverage", "novelty", "artists", "answered", "NDCG@100")


@dataclass(frozen=True, slots=True)
class ModelTrial:
    """A model that was fitted and judged.

    Attributes:
        name: Of the model, with its variant if any.
        params: Its settings.
        fitted: The model.
        verdicts: One for each kind of list that it gives.
        fit_s: Wall time of the fit, seconds.
        judge_s: Wall time of making the lists that were asked for, and of judging them, seconds.
    """

    name: str
    params: Params
    fitted: Fitted
    verdicts: Sequence[OfflineMetrics]
    fit_s: float
    judge_s: float

    def write(
        self,
        folder: Path,
        log: Interactions,
        seed: int,
        options: Mapping[str, Any],
        top: int,
        progress: Progress = SILENT,
    ) -> list[Path]:
        """Write the model's lists, and the picture of its learning if it learnt in epochs.

        Args:
            folder: Where to; made if missing.
            log: What everything was learnt from and judged on.
            seed: Of the fit.
            options: Which listens were used, for the manifests.
            top: Length of the lists.
            progress: Shown the lists being made.

        Returns:
            The files, named after the model.
        """
        metrics = {verdict.key: verdict.as_json() for verdict in self.verdicts}
        maker = Provenance(self.name, self.params, seed, options)
        stem = self.name.replace(":", "_")
        files = save(folder, stem, self.fitted, log, maker, metrics, top=top, progress=progress)
        if self.fitted.curve is not None:
            files.append(folder / f"{stem}.svg")
            draw(self.fitted.curve, self.name, files[-1])
        return files


@dataclass(frozen=True, slots=True)
class EvaluationSplit:
    """What every model is fitted and judged on.

    Attributes:
        train: Earlier sessions, fitted on by models that stop early.
        valid: Sessions after them, on which early stopping looks.
        earlier: Both; what models without early stopping are fitted on.
        late: The latest sessions, judged on.
        questions: What they ask.
        seed: Of every fit.
        threads: Of every fit.
        estimate: Says what lists would have earned in the latest sessions; None where nobody can.
    """

    train: Interactions
    valid: Interactions
    earlier: Interactions
    late: Interactions
    questions: HeldOutPairs
    seed: int
    threads: int
    estimate: Estimator | None = None

    @classmethod
    def of(
        cls,
        log: Interactions,
        *,
        late: float,
        liked: float,
        seed: int,
        threads: int,
        weighed: Inverse = "both",
        estimator: Callable[[Interactions], Estimator | None] | None = None,
    ) -> "EvaluationSplit":
        """Split a log by the time at which its sessions began.

        Args:
            log: Everything.
            late: Share of the sessions judged on; as many before them are for early stopping.
            liked: Share heard from which a listen is one that should have been foreseen.
            seed: Of every fit.
            threads: Of every fit.
            weighed: Where the weights of the log's listens count.
            estimator: Makes of the latest sessions what estimates from them, if they allow it.
        """
        earlier, last = log.split(late)
        if weighed == "judge":
            earlier = earlier.unweighted()
        elif weighed == "fit":
            last = last.unweighted()
        train, valid = earlier.split(min(late, 0.1))
        questions = held_out_pairs(last, liked)
        if not len(train) or not len(questions):
            raise InputError.one(
                "the log",
                f"has {log.sessions} sessions with {len(log)} listens, too few to learn from "
                f"{train.sessions} and ask {len(questions)} questions of the rest. Give more logs, "
                "a larger --late or a smaller --liked",
            )
        return cls(
            train,
            valid,
            earlier,
            last,
            questions,
            seed,
            threads,
            estimator(last) if estimator else None,
        )

    def try_(self, name: str, model: Model, params: Params, progress: Progress) -> ModelTrial:
        """Fit a model and judge its lists."""
        run = Run(self.valid, self.seed, self.threads, progress)
        progress.start(f"{name}: fit")
        start = perf_counter()
        stops_early = known()[name.partition(":")[0]].stops_early
        train = self.train if stops_early else self.earlier
        fitted = model.fit(train, run)
        fit_s = perf_counter() - start
        progress.start(f"{name}: judge")
        start = perf_counter()
        verdicts = [
            evaluate(fitted, key, self.earlier, self.late, self.questions, estimate=self.estimate)
            for key in fitted.rankers
        ]
        return ModelTrial(name, params, fitted, verdicts, fit_s, perf_counter() - start)


def everything() -> dict[str, str]:
    """All models with all variants, each with the package that it needs: cheap ones first."""
    found = sorted(known().values(), key=lambda each: (each.name not in FLOORS, each.needs))
    return {
        f"{each.name}:{variant}" if variant else each.name: each.needs
        for each in found
        for variant in each.variants
    }


def compare(
    bench: EvaluationSplit, models: Sequence[tuple[str, Model, Params]], progress: Progress
) -> Iterator[ModelTrial]:
    """Try models, with the names they go by, one after another; who Ctrl-C ended is the last."""
    for name, model, params in models:
        trial = bench.try_(name, model, params, progress)
        yield trial
        if trial.fitted.interrupted:
            progress.say(f"Interrupted at {name}: the models after it were not tried.")
            break


def report(bench: EvaluationSplit, trials: Sequence[ModelTrial]) -> dict[str, Any]:
    """Everything as plain values."""
    return {
        "sessions": {
            "train": bench.train.sessions,
            "valid": bench.valid.sessions,
            "late": bench.late.sessions,
        },
        "listens": {"train": len(bench.train), "late": len(bench.late)},
        "questions": len(bench.questions),
        "catalog": bench.train.catalog.checksum,
        "logs": dict(bench.train.sources),
        "seed": bench.seed,
        "off_policy": None if bench.estimate is None else bench.estimate.about,
        "models": [
            {
                "model": trial.name,
                "params": trial.params.model_dump(),
                "fit_s": round(trial.fit_s, 3),
                "judge_s": round(trial.judge_s, 3),
                "lists": [verdict.as_json() for verdict in trial.verdicts],
            }
            for trial in trials
        ],
    }


def rows_of(trials: Sequence[ModelTrial]) -> list[list[str]]:
    """Cells of the table, a row for each kind of list of each model."""
    rows = []
    for trial in trials:
        for verdict in trial.verdicts:
            accuracy = verdict.accuracy
            cells = [trial.name, OWNER[verdict.key]]
            first = accuracy["ndcg10"]
            cells.append(f"{first.value:.4f} [{first.low:.4f}, {first.high:.4f}]")
            cells += [f"{accuracy[name].value:.4f}" for _, name in COLUMNS[1:]]
            cells.append("" if verdict.mse is None else f"{verdict.mse:.4f}")
            cells.append("" if verdict.earned is None else _earned(verdict.earned))
            cells += [f"{verdict.beyond[name]:.3g}" for _, name in BEYOND]
            cells.append(f"{trial.fit_s:.1f}")
            rows.append(cells)
    return rows


def _earned(earned: Earned) -> str:
    time = earned.time
    doubtful = " ?" if earned.doubts else ""
    return f"{time.value:.3f} [{time.low:.3f}, {time.high:.3f}]{doubtful}"


def headings() -> list[str]:
    """Of the table's columns."""
    return [
        "model",
        "list by",
        *(name for name, _ in COLUMNS),
        "MSE",
        "off-policy",
        *(name for name, _ in BEYOND),
        "fit s",
    ]


def title_of(bench: EvaluationSplit) -> str:
    """What the table is about."""
    return (
        f"Learnt from {bench.earlier.sessions:,} sessions, judged on {len(bench.questions):,} "
        f"liked listens of the {bench.late.sessions:,} latest; NDCG@10 with its 95 % interval"
    )


def table_of(bench: EvaluationSplit, trials: Sequence[ModelTrial], width: int = 200) -> Table:
    """The table for a terminal; a narrow one gets the columns that matter most."""
    table = Table(title=title_of(bench), title_justify="left")
    rows = rows_of(trials)
    left_out = () if width >= _WIDE else _LESS
    shown = [
        place
        for place, name in enumerate(headings())
        if name not in left_out and any(row[place] for row in rows)
    ]
    for place in shown:
        table.add_column(headings()[place], justify="left" if place < 2 else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(row[place] for place in shown))
    if bench.estimate is not None:
        table.caption, table.caption_justify = bench.estimate.about, "left"
    return table


def markdown_of(bench: EvaluationSplit, trials: Sequence[ModelTrial]) -> str:
    """The table as Markdown."""
    lines = [
        f"{title_of(bench)}.",
        "",
        "| " + " | ".join(headings()) + " |",
        "|---|---|" + "---:|" * (len(headings()) - 2),
        *("| " + " | ".join(row) + " |" for row in rows_of(trials)),
        "",
        *([] if bench.estimate is None else [f"{bench.estimate.about}.", ""]),
    ]
    return "\n".join(lines)
