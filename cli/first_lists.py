"""The first lists of a new server: learnt from its owner's listens, and compared on their end."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from core.archive import Key
from core.errors import InputError

if TYPE_CHECKING:
    from core.progress import Progress
    from training.comparison import Comparison
    from training.interactions import Interactions
    from training.training_options import TrainingOptions

NEURAL_AT_MOST = 2_000_000
"""Listens above which `segue init` leaves out the neural model: it would take many minutes."""

_MODELS = ("popular", "neighbours:bm25", "neighbours:listener", "factors", "neural")
_NEEDS = {"factors": "implicit", "neural": "torch"}


@dataclass(frozen=True, slots=True)
class FirstList:
    """A list file that the first config serves.

    Attributes:
        name: Its name in the config, and the name of the strategy that plays it.
        file: Name of the file.
        key: Key of the lists: a track, or a listener.
        model: The model that made it.
        about: What is on the list, in words.
        ndcg10: Its NDCG@10 on the latest sessions; None if there were too few to compare on.
    """

    name: str
    file: str
    key: Key
    model: str
    about: str
    ndcg10: float | None = None


_KNOWN = (
    FirstList(
        "together", "neighbours_bm25_by_track.npz", "track", "neighbours:bm25",
        "tracks that were heard in the same sessions as the track",
    ),
    FirstList(
        "similar", "neighbours_listener_by_track.npz", "track", "neighbours:listener",
        "tracks that the same listeners heard",
    ),
    FirstList(
        "personal", "neighbours_listener_by_listener.npz", "user", "neighbours:listener",
        "tracks near those that the listener heard",
    ),
    FirstList(
        "taste", "factors_by_listener.npz", "user", "factors",
        "tracks near the listener's taste, by matrix factorisation",
    ),
    FirstList(
        "neural", "neural_by_track.npz", "track", "neural",
        "tracks that follow the track, by a neural network",
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class FirstLists:
    """Everything that was learnt.

    Attributes:
        lists: The lists, the best first; in the order of `_KNOWN` if they were not compared.
        comparison: Their comparison; None if there were too few sessions for one.
        why_not: Reason why there is no comparison.
        left_out: Model -> reason why it was not tried.
    """

    lists: Sequence[FirstList]
    comparison: "Comparison | None"
    why_not: str
    left_out: dict[str, str]


def learn_first_lists(
    listens: "Interactions", folder: Path, seed: int, progress: "Progress"
) -> FirstLists:
    """Learn every list that the data and this installation support, into a folder."""
    import training.models  # noqa: F401  (importing it registers the models)
    from training.comparison import build_models, compare
    from training.training_options import TrainingOptions

    left_out = _left_out(len(listens))
    names = [name for name in _MODELS if name not in left_out]
    options = TrainingOptions(seed=seed)
    comparison, why_not = None, ""
    try:
        comparison = compare(listens, build_models(names, {}), folder, options, None, progress)
        comparison.save(folder, options)
    except InputError as error:
        why_not = error.faults[0].what
        _learn_unseen(listens, names, folder, options, progress)
    return FirstLists(_served(folder, comparison), comparison, why_not, left_out)


def _left_out(listens: int) -> dict[str, str]:
    reasons = {
        model: f"needs {package} (pip install 'segue[train]')"
        for model, package in _NEEDS.items()
        if find_spec(package) is None
    }
    if listens > NEURAL_AT_MOST:
        reasons.setdefault("neural", f"takes long for more than {NEURAL_AT_MOST:,} listens")
    return reasons


def _learn_unseen(
    listens: "Interactions",
    names: Sequence[str],
    folder: Path,
    options: "TrainingOptions",
    progress: "Progress",
) -> None:
    """Fit the models that need no validation split, on all listens."""
    from training.artifacts import Provenance, save
    from training.model import FitRun, build, known

    for name in names:
        if known()[name.partition(":")[0]].stops_early:
            continue
        model, params = build(name)
        progress.start(f"{name}: fit")
        fitted = model.fit(listens, FitRun(listens, options.seed, options.threads, progress))
        provenance = Provenance(name, params, options.seed, options.as_json())
        stem = name.replace(":", "_")
        save(folder, stem, fitted, listens, provenance, {}, top=options.top, progress=progress)


def _served(folder: Path, comparison: "Comparison | None") -> list[FirstList]:
    found = [each for each in _KNOWN if (folder / each.file).exists()]
    if comparison is None:
        return found
    scores = {
        (trial.name, metrics.key): metrics.accuracy["ndcg10"].value
        for trial in comparison.trials
        for metrics in trial.metrics
    }
    scored = [
        FirstList(e.name, e.file, e.key, e.model, e.about, scores.get((e.model, e.key)))
        for e in found
    ]
    return sorted(scored, key=lambda each: -(each.ndcg10 or 0.0))
