"""Everything that a first server needs, made from a file of listens."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cli.first_config import DATA, LISTS, FirstConfig, write_first_config
from cli.first_experiment import FirstExperiment, plan_first_experiment
from cli.first_lists import FirstLists, learn_first_lists
from cli.import_choice import ImportChoice
from core.catalog import load_catalog

if TYPE_CHECKING:
    from core.progress import Progress
    from training.importers.import_summary import ImportSummary
    from training.interactions import Interactions


@dataclass(frozen=True, slots=True)
class FirstServerOptions:
    """Options of `segue init --from`.

    Attributes:
        source: The file or folder of listens.
        choice: The importer and the columns.
        percent: Whether the time of a table is in percent.
        gap_s: Silence that ends a session, in seconds.
        min_plays: Tracks that were played less often are left out.
        seed: Seed of the models.
    """

    source: Path
    choice: ImportChoice
    percent: bool
    gap_s: float
    min_plays: int
    seed: int


@dataclass(frozen=True, slots=True)
class FirstServer:
    """A first server, as made.

    Attributes:
        options: How it was made.
        listens: The training table.
        summary: The counts of lines.
        learnt: The lists and their comparison.
        experiment: The experiment in the config; None if there is no list to compare.
    """

    options: FirstServerOptions
    listens: "Interactions"
    summary: "ImportSummary"
    learnt: FirstLists
    experiment: FirstExperiment | None

    def reading(self) -> list[str]:
        """Say in lines what was read, and what was left out."""
        choice, listens = self.options.choice, self.listens
        lines = [
            f"Read {self.options.source} as {choice.kind}: {len(listens):,} listens in "
            f"{listens.sessions:,} sessions of {len(set(listens.user.tolist())):,} listeners, "
            f"{len(listens.catalog):,} tracks"
        ]
        if choice.columns:
            read = ", ".join(f"{meaning}={name}" for meaning, name in choice.columns.items())
            lines.append(f"Columns: {read}. Change them with --column")
        if choice.unread:
            lines.append(f"Not read: {', '.join(choice.unread)}")
        summary = self.summary
        rest = summary.lines - summary.used
        below = "; the reasons for the rest are below" if rest else ""
        lines.append(f"Used {summary.used:,} of {summary.lines:,} lines{below}")
        counted = (("Bad", summary.bad), ("Left out", summary.left_out), ("Note", summary.notes))
        for label, counts in counted:
            lines += [f"{label}: {what}: {count:,}" for what, count in sorted(counts.items())]
        if summary.copies:
            lines.append(f"Left out: in copies of files: {summary.copies:,}")
        if period := summary.as_json()["period"]:
            lines.append(f"Period: {period[0]} to {period[1]}")
        return lines + [f"  {fault}" for fault in summary.examples]


def make_first_server(
    folder: Path, options: FirstServerOptions, progress: "Progress"
) -> FirstServer:
    """Import listens, learn lists, plan an experiment, and write the config, into a folder.

    Raises:
        InputError: The file cannot be used.
    """
    from training.importers import import_data
    from training.importers.import_options import ImportOptions
    from training.training_table import load_table

    choice = options.choice
    data = folder / DATA
    summary = import_data(
        choice.kind,
        options.source,
        data,
        ImportOptions(
            columns=choice.columns,
            percent=options.percent,
            gap_s=options.gap_s,
            min_plays=options.min_plays,
            progress=progress,
        ),
    )
    listens = load_table(data / "interactions.parquet", load_catalog(data / "tracks.jsonl"))
    learnt = learn_first_lists(listens, folder / LISTS, options.seed, progress)
    names = [each.name for each in learnt.lists]
    experiment = None
    if names:
        treatment, control = [*names, "popular"][:2]
        experiment = plan_first_experiment(control, treatment, listens, progress)
    is_compared = learnt.comparison is not None
    config = FirstConfig(options.source.name, learnt.lists, is_compared, experiment)
    _check(write_first_config(folder, config))
    return FirstServer(options, listens, summary, learnt, experiment)


def _check(config: Path) -> None:
    """Load the config as a server does: a folder that cannot be served must not be made."""
    from engine.runtime import load_runtime
    from engine.settings.loading import load_settings

    load_runtime(load_settings(config))
