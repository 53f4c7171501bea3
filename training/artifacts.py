"""Artifacts of a training run: list files and popularity lists, with their manifests."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from core.archive import Key
from core.listener_tables import save_table
from core.lists import save_lists
from core.progress import SILENT, Progress
from core.vector_archive import save_vectors
from training.interactions import Interactions
from training.model import FittedModel, ModelParams
from training.top_k import NONE, Rankings

KEY_NAMES: Mapping[Key, str] = {"track": "track", "user": "listener"}
"""Key of lists -> its name in file names and tables."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """The origin of a model, for its manifests.

    Attributes:
        model: Name of the model, with its variant if any.
        params: Its settings.
        seed: Seed of the fit.
        options: Which listens were used: arms, dates, weighting.
    """

    model: str
    params: ModelParams
    seed: int
    options: Mapping[str, Any]


def save(
    folder: Path,
    name: str,
    fitted: FittedModel,
    log: Interactions,
    provenance: Provenance,
    metrics: Mapping[Key, Mapping[str, Any]],
    *,
    top: int,
    progress: Progress = SILENT,
) -> list[Path]:
    """Write lists, vectors and table of a model, or one popularity list.

    Returns:
        The files. The manifest of lists is inside the file, that of a popularity list beside it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    about: dict[str, Any] = {
        "model": provenance.model,
        "params": provenance.params.model_dump(),
        "seed": provenance.seed,
        "options": dict(provenance.options),
        "logs": dict(log.sources),
        "interrupted": fitted.interrupted,
        **fitted.facts,
    }
    written: list[Path] = []
    if fitted.order is not None:
        path = folder / f"{name}.json"
        ids = log.catalog.ids
        path.write_bytes(orjson.dumps([ids[track] for track in fitted.order.tolist()]))
        manifest = {
            "catalog": log.catalog.checksum,
            **about,
            "metrics": metrics.get("track", {}),
            "sizes": {"tracks": len(fitted.order)},
        }
        beside = path.with_suffix(".manifest.json")
        beside.write_bytes(orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
        return [path, beside]
    for key, ranker in fitted.rankers.items():
        count = len(log.catalog) if key == "track" else len(log.users)
        progress.start(f"lists by {KEY_NAMES[key]}", count)
        ranked = ranker(np.arange(count), top, progress)
        lengths = (ranked != NONE).sum(axis=1)
        if not lengths.any():
            continue
        path = folder / f"{name}_by_{KEY_NAMES[key]}.npz"
        sizes = {
            "lists": int(np.sum(lengths > 0)),
            "shortest": int(lengths[lengths > 0].min()),
            "longest": int(lengths.max()),
            "tracks": int(lengths.sum()),
        }
        manifest = {**about, "metrics": metrics.get(key, {}), "sizes": sizes}
        scores = _scores(fitted, ranked, lengths, key, log)
        save_lists(path, key, _rows(ranked, lengths, key, log), log.catalog, manifest, scores)
        written.append(path)
    return written + _save_vectors(folder, name, fitted, log, about | fitted.space)


def _save_vectors(
    folder: Path, name: str, fitted: FittedModel, log: Interactions, about: Mapping[str, Any]
) -> list[Path]:
    written = []
    for key, (rows, vectors) in fitted.vectors.items():
        path = folder / f"{name}_vectors_by_{KEY_NAMES[key]}.npz"
        keys = rows.tolist() if key == "track" else [log.users[row] for row in rows.tolist()]
        save_vectors(path, key, keys, vectors, log.catalog, about)
        written.append(path)
    if fitted.table is not None:
        users, numbers = fitted.table
        path = folder / f"{name}_table_by_listener.npz"
        save_table(path, [log.users[row] for row in users.tolist()], numbers, log.catalog, about)
        written.append(path)
    return written


def _scores(
    fitted: FittedModel, ranked: Rankings, lengths: np.ndarray, key: Key, log: Interactions
) -> Any:
    """Give the scores of the lists by their keys; None for a model without scores."""
    if key not in fitted.scores:
        return None
    scores = fitted.scores[key](np.arange(len(ranked)), ranked)
    # Equal but for rounding: a list of ranked tracks must not rise.
    return _rows(np.minimum.accumulate(scores, axis=1), lengths, key, log)


def _rows(ranked: Rankings, lengths: np.ndarray, key: Key, log: Interactions) -> Any:
    names: Any = range(len(ranked)) if key == "track" else log.users
    return {
        name: row[:length]
        for name, row, length in zip(names, ranked, lengths.tolist(), strict=True)
        if length
    }
