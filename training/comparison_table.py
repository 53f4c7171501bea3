"""The table of a comparison: for a terminal, as Markdown, and as plain values."""

from collections.abc import Sequence
from typing import Any

from rich.table import Table

from training.artifacts import KEY_NAMES
from training.evaluation import OffPolicyEstimate
from training.evaluation_split import EvaluationSplit, ModelTrial
from training.played_time import PlayedTime

ACCURACY = (
    ("NDCG@10", "ndcg10"),
    ("NDCG@100", "ndcg100"),
    ("recall@10", "recall10"),
    ("recall@100", "recall100"),
    ("MRR", "mrr"),
)
BEYOND_ACCURACY = (
    ("coverage", "coverage"),
    ("Gini", "gini"),
    ("novelty", "novelty"),
    ("artists", "artists"),
    ("answered", "answered"),
)

EARNS, EARNS_BY_VECTORS = "earns", "earns by vectors"
"""Columns of play: of lists, and of vectors."""

_FULL_WIDTH = 190
"""Characters that the table with all its columns takes, but those of play."""

_PLAY_WIDTH = 50
"""Characters that the columns of play take."""

_OPTIONAL = ("recall@10", "MRR", "coverage", "novelty", "artists", "answered", "NDCG@100")
"""Columns that a narrower terminal does without."""


def report(
    split: EvaluationSplit, trials: Sequence[ModelTrial], play_about: str = ""
) -> dict[str, Any]:
    """The comparison as plain values; `late` and `judge` are the keys of version 0.1."""
    return {
        "sessions": {
            "train": split.train.sessions,
            "valid": split.valid.sessions,
            "late": split.test.sessions,
        },
        "listens": {"train": len(split.train), "late": len(split.test)},
        "questions": len(split.held_out),
        "catalog": split.train.catalog.checksum,
        "logs": dict(split.train.sources),
        "seed": split.seed,
        "off_policy": None if split.estimate is None else split.estimate.about,
        **({"played": play_about} if play_about else {}),
        "models": [
            {
                "model": trial.name,
                "params": trial.params.model_dump(),
                "fit_s": round(trial.fit_s, 3),
                "judge_s": round(trial.evaluation_s, 3),
                "lists": [metrics.as_json() for metrics in trial.metrics],
                **({"played": [each.as_json() for each in trial.played]} if play_about else {}),
            }
            for trial in trials
        ],
    }


def rows_of(trials: Sequence[ModelTrial]) -> list[list[str]]:
    """Cells of the table, a row for each kind of list of each model."""
    rows = []
    for trial in trials:
        for metrics in trial.metrics:
            accuracy = metrics.accuracy
            cells = [trial.name, KEY_NAMES[metrics.key]]
            first = accuracy["ndcg10"]
            cells.append(f"{first.value:.4f} [{first.low:.4f}, {first.high:.4f}]")
            cells += [f"{accuracy[name].value:.4f}" for _, name in ACCURACY[1:]]
            cells.append("" if metrics.mse is None else f"{metrics.mse:.4f}")
            cells.append("" if metrics.off_policy is None else _estimate_cell(metrics.off_policy))
            of_key = [each for each in trial.played if each.key == metrics.key]
            cells += [_played_cell(of_key, False), _played_cell(of_key, True)]
            cells += [f"{metrics.beyond_accuracy[name]:.3g}" for _, name in BEYOND_ACCURACY]
            cells.append(f"{trial.fit_s:.1f}")
            rows.append(cells)
    return rows


def headings() -> list[str]:
    """Headings of the table's columns."""
    return [
        "model",
        "list by",
        *(name for name, _ in ACCURACY),
        "MSE",
        "off-policy",
        EARNS,
        EARNS_BY_VECTORS,
        *(name for name, _ in BEYOND_ACCURACY),
        "fit s",
    ]


def title_of(split: EvaluationSplit) -> str:
    """Title of the table: the number of sessions that the models learnt from, and the target."""
    return (
        f"Learnt from {split.train_and_valid.sessions:,} sessions, tested on "
        f"{len(split.held_out):,} liked listens of the {split.test.sessions:,} latest; "
        "NDCG@10 with its 95 % interval"
    )


def table_of(
    split: EvaluationSplit,
    trials: Sequence[ModelTrial],
    width: int = 200,
    play_about: str = "",
) -> Table:
    """The table for a terminal; a narrow one gets the columns that matter most."""
    table = Table(title=title_of(split), title_justify="left")
    rows = rows_of(trials)
    full = _FULL_WIDTH + (_PLAY_WIDTH if play_about else 0)
    left_out = () if width >= full else _OPTIONAL
    shown = [
        place
        for place, name in enumerate(headings())
        if name not in left_out and any(row[place] for row in rows)
    ]
    for place in shown:
        table.add_column(headings()[place], justify="left" if place < 2 else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(row[place] for place in shown))
    notes = _notes(split, play_about)
    if notes:
        table.caption, table.caption_justify = "\n".join(notes), "left"
    return table


def markdown_of(split: EvaluationSplit, trials: Sequence[ModelTrial], play_about: str = "") -> str:
    """The table as Markdown."""
    left_out = () if play_about else (EARNS, EARNS_BY_VECTORS)
    shown = [place for place, name in enumerate(headings()) if name not in left_out]
    lines = [
        f"{title_of(split)}.",
        "",
        "| " + " | ".join(headings()[place] for place in shown) + " |",
        "|---|---|" + "---:|" * (len(shown) - 2),
        *("| " + " | ".join(row[place] for place in shown) + " |" for row in rows_of(trials)),
        "",
        *(line for note in _notes(split, play_about) for line in (f"{note}.", "")),
    ]
    return "\n".join(lines)


def _notes(split: EvaluationSplit, play_about: str) -> list[str]:
    """Give the notes below the table, a sentence each."""
    estimate = [] if split.estimate is None else [split.estimate.about]
    return [*estimate, *([play_about] if play_about else [])]


def _played_cell(played: Sequence[PlayedTime], by_vectors: bool) -> str:
    for each in played:
        if (each.strategy == "session_vectors") == by_vectors:
            return f"{each.mean:.2f} ± {each.standard_error:.2f}, {each.lift:+.0%}"
    return ""


def _estimate_cell(estimate: OffPolicyEstimate) -> str:
    time = estimate.time
    doubtful = " ?" if estimate.warnings else ""
    return f"{time.value:.3f} [{time.low:.3f}, {time.high:.3f}]{doubtful}"
