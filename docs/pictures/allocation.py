"""Draws allocation.svg: the four questions that give a listener its arms, and one that answers.

Run from the repository: python docs/pictures/allocation.py > docs/pictures/allocation.svg
"""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[2]))

from core.allocation import SLOTS, Allocation, Arm, Experiment

SERVED = (Arm("C", 50, "contextual"), Arm("T1", 50, "improved"))
EXPERIMENTS = (
    Experiment("toppop_after_skip", SERVED, salt="2026-11", slots=(0, 6000), traffic=0.5),
    Experiment("memory", SERVED, salt="memory", slots=(6000, 9000)),
    Experiment("colours", (Arm("blue", 50), Arm("red", 50)), salt="colours", layer="client"),
)
HOLDOUT = 0.05
LISTENER = "42"

LEFT, WIDTH, HEIGHT, STEP = 190, 600, 30, 66
INK, QUIET, LINE = "#1f2933", "#52606d", "#9aa5b1"
OUT, OTHER, OURS, ARM_C, ARM_T, LABEL_A, LABEL_B = (
    "#e4e7eb", "#d9e2ec", "#bcdcf5", "#8cc1ec", "#f7c48a", "#c3e6c5", "#f3c6cf",
)  # fmt: skip


class Part(NamedTuple):
    """A range of slots, up to `end`, and what it means."""

    end: int
    text: str
    fill: str


class Row(NamedTuple):
    """One question: what it is, which salt it hashes with, its parts, and the listener's slot."""

    title: str
    salt: str
    parts: tuple[Part, ...]
    place: int
    gap: int = 0


def rows() -> list[Row]:
    """The questions, with the slots that the code gives."""
    allocation = Allocation(EXPERIMENTS, HOLDOUT)
    steps = dict(step.split(": ", 1) for step in allocation.trace(LISTENER))
    out = number(steps["holdout"], "slot")
    place = number(steps["toppop_after_skip"], "layer slot")
    entry = number(steps["toppop_after_skip"], "entry slot")
    arm = number(steps["toppop_after_skip"], "arm slot")
    label = number(steps["colours"], "arm slot")
    return [
        Row(
            "1  held out?",
            "holdout",
            (Part(500, "out", OUT), Part(SLOTS, "in", OURS)),
            out,
        ),
        Row(
            "2  which experiment?",
            "layer “serving”",
            (
                Part(6000, "toppop_after_skip", OURS),
                Part(9000, "memory", OTHER),
                Part(SLOTS, "none", OUT),
            ),
            place,
        ),
        Row(
            "3  in the traffic?",
            "entry, name, salt, version",
            (Part(5000, "enters (traffic 0.5)", OURS), Part(SLOTS, "not yet: default", OUT)),
            entry,
        ),
        Row(
            "4  which arm?",
            "arm, name, salt, version",
            (Part(5000, "C: contextual", ARM_C), Part(SLOTS, "T1: improved", ARM_T)),
            arm,
        ),
        Row(
            "a second layer: a label",
            "arm, “colours” ...",
            (Part(5000, "blue", LABEL_A), Part(SLOTS, "red", LABEL_B)),
            label,
            gap=22,
        ),
    ]


def number(step: str, after: str) -> int:
    """The number that follows some words of a trace."""
    return int(step.split(f"{after} ", 1)[1].split(",")[0].split(" ")[0])


def svg(drawn: Iterable[Row]) -> str:
    """The picture."""
    body: list[str] = []
    top = 58
    for row in drawn:
        top += row.gap
        body += bar(row, top)
        top += STEP
    height = top - 8
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 830 {height}" width="830" '
            f'height="{height}" font-family="Helvetica, Arial, sans-serif" font-size="13" '
            'role="img" aria-label="Holdout, layer, traffic and arm as rows of 10,000 slots">',
            f'<rect width="830" height="{height}" fill="#ffffff"/>',
            text(LEFT, 26, f"listener “{LISTENER}”, hashed with the salt of each question", INK),
            *body,
            "</svg>",
            "",
        ]
    )


def bar(row: Row, top: int) -> list[str]:
    """A row: its title and salt, its parts, and where the listener falls."""
    drawn = [
        text(12, top + 13, row.title, INK, weight="bold"),
        text(12, top + 30, row.salt, QUIET, size=11),
    ]
    start = 0
    for part in row.parts:
        left, width = x(start), x(part.end) - x(start)
        drawn.append(
            f'<rect x="{left:.0f}" y="{top}" width="{width:.0f}" height="{HEIGHT}" '
            f'fill="{part.fill}" stroke="{LINE}"/>'
        )
        drawn.append(text(left + width / 2, top + 20, part.text, INK, anchor="middle"))
        drawn.append(text(left, top + HEIGHT + 14, f"{start}", QUIET, size=10))
        start = part.end
    at = x(row.place)
    drawn.append(
        f'<path d="M{at:.0f} {top + 3} l-6 -10 h12 z" fill="{INK}"/>'
        + text(at + 10, top - 3, f"{row.place}", INK, size=11)
    )
    return drawn


def x(place: int) -> float:
    """Where a slot is drawn."""
    return LEFT + WIDTH * place / SLOTS


def text(
    left: float,
    top: float,
    content: str,
    fill: str,
    size: int = 13,
    anchor: str = "start",
    weight: str = "normal",
) -> str:
    """A line of text."""
    return (
        f'<text x="{left:.0f}" y="{top:.0f}" fill="{fill}" font-size="{size}" '
        f'text-anchor="{anchor}" font-weight="{weight}">{content}</text>'
    )


if __name__ == "__main__":
    sys.stdout.write(svg(rows()))
