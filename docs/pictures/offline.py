"""Draws offline.svg: what offline figures say of lists, and what the lists earn in the simulator.

Reads both from the tables of docs/results/training.md. Run from the repository:
python docs/pictures/offline.py
"""

import re
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

PAGE = Path(__file__).parents[1] / "results" / "training.md"
FLOORS = {"random": 1.07, "popular": 1.23}  # see "What the lists earn"
COLOURS = {"track": "#1f5fa8", "listener": "#c2571a"}
NAMED = {
    ("neighbours:bm25", "track"),
    ("factors", "track"),
    ("neural", "track"),
    ("popular", "listener"),
    ("factors", "listener"),
    ("personal", "listener"),
}
EARNED_IN = {"track": 1, "listener": 4}  # column of the table of earnings


def table(heading: str) -> list[list[str]]:
    """Cells of the first table under a heading."""
    part = PAGE.read_text().partition(f"{heading}\n")[2].partition("\n#")[0]
    rows = [line for line in part.splitlines() if line.startswith("| ")]
    return [[cell.strip(" *`") for cell in row.strip("|").split("|")] for row in rows[1:]]


def points() -> list[tuple[str, str, float, float, float]]:
    """Model, list by, NDCG@10, off-policy, earned."""
    earned = {row[0]: row for row in table("## What the lists earn")}
    found = []
    for row in table("## Held-out listens, default world"):
        model, owner = row[:2]
        cell = FLOORS.get(model) or (model in earned and earned[model][EARNED_IN[owner]])
        if cell:
            offline, policy = (float(re.split(r" ", row[place])[0]) for place in (2, 8))
            found.append((model, owner, offline, policy, float(cell)))
    return found


def draw(path: Path) -> None:
    """Two panels with one axis of what is earned."""
    with mpl.rc_context({"svg.hashsalt": "segue", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(8.4, 4.2), layout="constrained")
        panels = figure.subplots(1, 2, sharey=True)
        for panel, place, name in (
            (panels[0], 2, "NDCG@10"),
            (panels[1], 3, "off-policy: share heard of a recommendation"),
        ):
            for owner, colour in COLOURS.items():
                mine = [point for point in points() if point[1] == owner]
                panel.plot(
                    [point[place] for point in mine],
                    [point[4] for point in mine],
                    "o",
                    color=colour,
                    alpha=0.8,
                    label=f"lists by {owner}",
                )
            for point in points():
                if point[:2] in NAMED:
                    right = point[1] == "listener"
                    panel.annotate(
                        point[0],
                        (point[place], point[4]),
                        xytext=(6, -3) if right else (-5, 4),
                        textcoords="offset points",
                        ha="left" if right else "right",
                        color=COLOURS[point[1]],
                        fontsize=8,
                    )
            panel.set_xlabel(name)
            panel.margins(x=0.25)
            panel.spines[["top", "right"]].set_visible(False)
            panel.grid(alpha=0.3)
        panels[0].set_ylabel("earned in the simulator, tracks a session")
        panels[0].legend(frameon=False, loc="lower right")
        figure.savefig(path, format="svg", metadata={"Date": None})


if __name__ == "__main__":
    draw(Path(__file__).with_suffix(".svg"))
