"""`factors` on MovieLens-100K; run with `python -m benchmarks.movielens ml-100k.inter`.

Ratings of 4 and 5 are liked listens. A random fifth of all ratings is held out; NDCG@10 of the
liked ones among them, over listeners, with the tracks of the fit left out. The data is not ours to
give: `u.data` of GroupLens, or `ml-100k.inter` from the wheel of recbole 1.2.1.
"""

import sys
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

import training.models  # noqa: F401  (importing it registers the models)
from core.catalog import Catalog
from training.interactions import Interactions, assemble
from training.model import FitRun, build

MODELS = (
    "popular", "factors", "factors:bpr", "neighbours:listener", "neighbours:bm25", "ease"
)  # fmt: skip
SEEDS = (1, 2, 3)


def main() -> None:
    """Print NDCG@10 of each model, for three splits."""
    if not sys.argv[0].endswith("movielens.py") or len(sys.argv) < 2:
        print("Not measured: give the file of ratings, python -m benchmarks.movielens FILE")
        return
    liked = _liked(Path(sys.argv[1]))
    table = Table(title="NDCG@10, MovieLens-100K", title_justify="left")
    for heading in ("model", *(f"split {seed}" for seed in SEEDS)):
        table.add_column(heading, justify="left" if heading == "model" else "right")
    for spec in sys.argv[2:] or MODELS:
        cells = [f"{_ndcg(spec, *_split(liked, seed)):.3f}" for seed in SEEDS]
        table.add_row(spec, *cells)
    Console().print(table)


def _liked(path: Path) -> Interactions:
    """Liked ratings as listens; a listener's ratings are one session."""
    lines = [line.split("\t") for line in path.read_text().splitlines()]
    rows = np.array([list(map(float, line)) for line in lines if line[0].isdigit()])
    user, track = rows[:, 0].astype(int) - 1, rows[:, 1].astype(int) - 1
    tracks, users = int(track.max()) + 1, int(user.max()) + 1
    catalog = Catalog(range(tracks), [f"artist {t}" for t in range(tracks)], [""] * tracks)
    liked = rows[:, 2] >= 4
    return assemble(
        user[liked], track[liked], np.ones(int(liked.sum())), rows[liked, 3].astype(np.int64),
        [str(each) for each in range(users)], catalog, {}, session=user[liked],
    )  # fmt: skip


def _split(liked: Interactions, seed: int) -> tuple[Interactions, Interactions]:
    held = np.random.default_rng(seed).random(len(liked)) < 0.2
    return liked.where(~held), liked.where(held)


def _ndcg(spec: str, train: Interactions, test: Interactions) -> float:
    fitted = build(spec)[0].fit(train, FitRun(test.where(np.zeros(len(test), dtype=bool))))
    keys = np.unique(test.user)
    known = np.zeros((len(train.users), len(train.catalog)), dtype=bool)
    known[train.user, train.track] = True
    gains = 1 / np.log2(np.arange(10) + 2)
    found = []
    for user, ranked in zip(keys, fitted.rankers["user"](keys, len(train.catalog)), strict=True):
        ranked = ranked[ranked >= 0]
        fresh = ranked[~known[user, ranked]][:10]
        wanted = np.unique(test.track[test.user == user])
        hits = gains[: len(fresh)][np.isin(fresh, wanted)]
        found.append(float(hits.sum() / gains[: len(wanted)].sum()))
    return float(np.mean(found))


if __name__ == "__main__":
    main()
