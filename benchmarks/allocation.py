"""The cost of an assignment, by allocation; run with `python -m benchmarks.allocation`.

The figure is the CPU time of the fastest of several rounds over the same listeners, so that a
second process on the machine disturbs it little. The last rows vary the experiment's slots and
arms: neither may change the cost.
"""

from time import process_time

from rich.console import Console
from rich.table import Table

from core.allocation import SLOTS, Allocation, Arm, Experiment

LISTENERS = [str(listener) for listener in range(20_000)]
ROUNDS = 9


def main() -> None:
    """Print nanoseconds per listener, and per listener and experiment."""
    table = Table("allocation", "experiments", "ns per listener", "ns per listener and experiment")
    for name, experiments, holdout in cases():
        allocation = Allocation(experiments, holdout)
        took = min(_round(allocation) for _ in range(ROUNDS))
        count = max(1, len(experiments))
        table.add_row(name, str(len(experiments)), f"{took:.0f}", f"{took / count:.0f}")
    Console().print(table)


def cases() -> list[tuple[str, list[Experiment], float]]:
    """List the measured allocations: name, experiments, holdout."""
    tenths = [
        experiment(f"tenth {i}", slots=(i * SLOTS // 10, (i + 1) * SLOTS // 10)) for i in range(10)
    ]
    labels = [experiment(f"label {i}", layer=f"layer {i}") for i in range(4)]
    return [
        ("none", [], 0.0),
        ("one, all traffic", [experiment("one")], 0.0),
        ("one, half of the traffic", [experiment("one", traffic=0.5)], 0.0),
        ("one, 5 % held out", [experiment("one")], 0.05),
        ("one, botify's hash", [experiment("one", hash_name="botify")], 0.0),
        ("ten that share a layer", tenths, 0.0),
        ("one, and labels in four layers", [experiment("one"), *labels], 0.0),
        ("one of 2 arms in 1 slot", [experiment("one", slots=(0, 1))], 0.0),
        ("one of 2 arms in 9,999 slots", [experiment("one", slots=(0, SLOTS - 1))], 0.0),
        ("one of 100 arms in all slots", [experiment("one", ways=100)], 0.0),
    ]


def experiment(
    name: str,
    ways: int = 2,
    layer: str = "serving",
    slots: tuple[int, int] = (0, SLOTS),
    traffic: float = 1.0,
    hash_name: str = "segue",
) -> Experiment:
    """Make an experiment of equal arms."""
    arms = tuple(Arm(f"T{i}", 1.0, "s" if layer == "serving" else None) for i in range(ways))
    return Experiment(name, arms, layer=layer, slots=slots, traffic=traffic, hash=hash_name)  # type: ignore[arg-type]


def _round(allocation: Allocation) -> float:
    assign = allocation.assign
    start = process_time()
    for listener in LISTENERS:
        assign(listener)
    return (process_time() - start) / len(LISTENERS) * 1e9


if __name__ == "__main__":
    main()
