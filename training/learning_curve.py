"""The learning curve as SVG; the same numbers give the same bytes."""

from pathlib import Path

from training.model import LearningCurve


def draw(curve: LearningCurve, title: str, path: Path) -> None:
    """Write the learning curve: both losses by epoch, with the best epoch marked."""
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    epochs = range(1, len(curve.train) + 1)
    with mpl.rc_context({"svg.hashsalt": "segue", "font.size": 10}):
        figure = Figure(figsize=(6, 3.6), layout="constrained")
        axes = figure.subplots()
        axes.plot(epochs, curve.train, color="#8a8a8a", label="training sessions")
        axes.plot(epochs, curve.valid, color="#1f5fa8", label="validation sessions")
        if curve.valid:
            best = curve.best_epoch + 1
            axes.plot([best], [curve.valid[curve.best_epoch]], "o", color="#1f5fa8")
            axes.annotate(
                f"kept: epoch {best}",
                (best, curve.valid[curve.best_epoch]),
                xytext=(0, 10),
                textcoords="offset points",
                ha="center",
            )
        axes.set(title=title, xlabel="epoch", ylabel=curve.measure)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", alpha=0.3)
        # Losses fall, so this corner is free. matplotlib's search for the best place warns whenever
        # it takes more than a second, as on a busy machine.
        axes.legend(frameon=False, loc="upper right")
        figure.savefig(path, format="svg", metadata={"Date": None})
