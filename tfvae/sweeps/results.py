"""Table, figure and files of a sweep."""

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tfvae._errors import reason
from tfvae._files import write_bytes, write_text
from tfvae._markdown import table_row
from tfvae.parts import described
from tfvae.sweeps.plan import Plan
from tfvae.sweeps.planned_run import PlannedRun
from tfvae.sweeps.search_plan import Outcome
from tfvae.training.comparison import MEASURED, ComparedRun, read_run
from tfvae.training.differences import difference

_MIN_SEEDS = 2  # for a standard error over seeds


class Mean(NamedTuple):
    """Mean over seeds.

    Attributes:
        mean: The mean, NaN if there is no value.
        standard_error: Its standard error over seeds, NaN for one seed. For a difference of one seed, over examples.
        num_seeds: Number of seeds.
    """

    mean: float
    standard_error: float
    num_seeds: int

    def __str__(self) -> str:
        if not self.num_seeds:
            return "unknown"
        return f"{self.mean:.3f}" + (f" ± {self.standard_error:.3f}" if math.isfinite(self.standard_error) else "")


class Row(NamedTuple):
    """Row of the table of a sweep.

    Attributes:
        variant: Its name.
        runs: The finished runs by seed.
        failures: Reasons for which runs failed, by seed.
        outcome: What a search says about it, for a sweep by Optuna.
    """

    variant: str
    runs: dict[int, ComparedRun]
    failures: dict[int, str]
    outcome: Outcome | None = None

    @property
    def validation_elbo(self) -> str:
        """The mean of the validation ELBO over seeds, by which a search compares its trials, or why there is none."""
        if self.outcome is None:
            return ""
        return self.outcome.note or str(mean_over_seeds(list(self.outcome.validation_elbo.values())))

    def mean(self, measure: str) -> Mean:
        """Returns the mean of a measure over seeds."""
        known = [run.report[measure]["mean"] for run in self.runs.values()]
        return mean_over_seeds([value for value in known if value is not None])

    def minus(self, first: "Row", measure: str) -> Mean | None:
        """Returns the difference to another row, paired by seed. None if the two have no comparable runs.

        With one seed, the standard error is that over examples.
        """
        pairs = [
            (run, first.runs[seed])
            for seed, run in self.runs.items()
            if seed in first.runs and run.data == first.runs[seed].data
        ]
        pairs = [pair for pair in pairs if all(run.report[measure]["mean"] is not None for run in pair)]
        if len(pairs) == 1:
            found = difference(*pairs[0], measure)
            return Mean(found.mean, found.standard_error, 1)
        values = [run.report[measure]["mean"] - other.report[measure]["mean"] for run, other in pairs]
        return mean_over_seeds(values) if values else None


def mean_over_seeds(values: Sequence[float]) -> Mean:
    """Returns the mean and its standard error, s / sqrt(n) with the sample standard deviation s."""
    if not values:
        return Mean(math.nan, math.nan, 0)
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values)) if len(values) >= _MIN_SEEDS else math.nan
    return Mean(float(np.mean(values)), error, len(values))


def read_rows(plan: Plan, folder: Path) -> list[Row]:
    """Reads the runs of a sweep that have finished or failed."""
    rows = {variant: Row(variant, {}, {}, plan.outcomes.get(variant)) for variant in plan.variants}
    for run in plan.runs:
        row = rows[run.variant]
        failed = run.failure_file(folder)
        if failed.exists():
            row.failures[run.seed] = failed.read_text("utf-8").strip()
        elif run.run_folder(folder).report_json.exists():
            try:
                row.runs[run.seed] = read_run(folder / run.folder, f"{run.variant}, seed {run.seed}")
            except ValueError as error:
                row.failures[run.seed] = reason(error)
    return list(rows.values())


def table(rows: Sequence[Row]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Returns the header and the rows of the table."""
    is_search = any(row.outcome for row in rows)
    header = ("", *(["validation ELBO"] if is_search else []), "seeds", *MEASURED)
    header += (*(f"{name} minus first" for name in MEASURED), "training")
    lines = []
    for row in rows:
        seconds = [run.report["training_seconds"] for run in row.runs.values()]
        apart = [row.minus(rows[0], measure) for measure in MEASURED.values()]
        lines.append(
            (
                row.variant,
                *([row.validation_elbo] if is_search else []),
                str(len(row.runs)) + (f" of {len(row.runs) + len(row.failures)}" if row.failures else ""),
                *(str(row.mean(measure)) for measure in MEASURED.values()),
                *("" if row is rows[0] else "not comparable" if each is None else str(each) for each in apart),
                f"{np.mean(seconds):,.0f} s" if seconds else "",
            )
        )
    return header, lines


def write_results(plan: Plan, folder: Path) -> Path:
    """Writes `sweep.md`, `sweep.csv` and `sweep.png`. Returns the path of the first."""
    rows = read_rows(plan, folder)
    buffer = io.BytesIO()
    figure_of(rows).savefig(buffer, format="png", dpi=110)
    write_bytes(folder / "sweep.png", buffer.getvalue())
    write_text(folder / "sweep.csv", _csv(plan, folder, rows))
    return write_text(folder / "sweep.md", markdown(rows, plan.remarks))


def markdown(rows: Sequence[Row], remarks: Sequence[str] = ()) -> str:
    """Returns the page of a sweep."""
    header, lines = table(rows)
    data = [run.data for row in rows for run in row.runs.values()]
    text = ["# Sweep", ""]
    if data:
        text += [f"On {data[0]}, in nats per example.", ""]
    text += [table_row(header), f"| --- | {' | '.join(['---:'] * (len(header) - 1))} |"]
    text += [table_row(line) for line in lines]
    for paragraph in (*remarks, about(rows)):
        text += ["", paragraph]
    text += ["", "![Means](sweep.png)"]
    failures = [(row.variant, str(seed), why) for row in rows for seed, why in row.failures.items()]
    failures += [
        (row.variant, "", row.outcome.failure)
        for row in rows
        if row.outcome is not None and row.outcome.failure and not row.failures
    ]
    if failures:
        text += ["", "## Failed runs", "", table_row(("", "seed", "reason")), "| --- | ---: | --- |"]
        text += [table_row(failure) for failure in failures]
    return "\n".join(text) + "\n"


def about(rows: Sequence[Row]) -> str:
    """Explains the standard errors in words."""
    if max((len(row.runs) for row in rows), default=0) >= _MIN_SEEDS:
        return (
            "± is one standard error over the seeds. A difference is that of runs with the same seed, and its error is "
            "that of the paired differences."
        )
    return (
        "There is one seed, so the means have no error over seeds. A difference and its error are computed example by "
        "example, and do not show how much a result depends on the seed."
    )


def figure_of(rows: Sequence[Row]) -> Figure:
    """Plots mean and standard error of each row, with a point for each seed."""
    figure = Figure(figsize=(11, 1.2 + 0.4 * len(rows)), layout="constrained")
    places = np.arange(len(rows))
    for axes, (name, measure) in zip(figure.subplots(1, len(MEASURED), sharey=True), MEASURED.items(), strict=True):
        for place, row in zip(places, rows, strict=True):
            values = [run.report[measure]["mean"] for run in row.runs.values()]
            values = [value for value in values if value is not None]
            mean = row.mean(measure)
            axes.plot(values, [place] * len(values), "o", color="C0", alpha=0.35, ms=4)
            if mean.num_seeds:
                error = mean.standard_error if math.isfinite(mean.standard_error) else 0.0
                axes.errorbar(mean.mean, place, xerr=error, fmt="o", color="C0", capsize=3)
        axes.set(title=name, xlabel="nats per example")
        axes.set_yticks(places, [row.variant for row in rows])
        axes.grid(alpha=0.3)
        if any(row.outcome for row in rows):
            _show_best_quarter(axes, [row.mean(measure).mean for row in rows])
    if len(rows):
        axes.invert_yaxis()
    return figure


def _show_best_quarter(axes: Axes, means: Sequence[float]) -> None:
    """Limits an axis to the surroundings of the best trials, because bad ones can be millions of nats away."""
    known = [mean for mean in means if math.isfinite(mean)]
    if known:
        best, quarter = max(known), max(known) - float(np.quantile(known, 0.75))
        axes.set_xlim(best - 4.0 * quarter - 1.0, best + quarter + 1.0)


def _csv(plan: Plan, folder: Path, rows: Sequence[Row]) -> str:
    """Returns one line for each run."""
    by_name = {row.variant: row for row in rows}
    names = ["row", "seed", "folder", "status", *MEASURED.values(), *(f"{m}_error" for m in MEASURED.values()), "why"]
    if plan.search is not None:
        names += ["validation_elbo", *plan.search.space]
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, names, lineterminator="\n")
    writer.writeheader()
    for run in plan.runs:
        writer.writerow(_line(run, by_name[run.variant]))
    return buffer.getvalue()


def _line(run: PlannedRun, row: Row) -> dict[str, Any]:
    line: dict[str, Any] = {"row": run.variant, "seed": run.seed, "folder": run.folder.as_posix(), "status": "missing"}
    if row.outcome is not None:
        line |= {"status": row.outcome.note or "missing", "why": row.outcome.failure}
        line |= {setting: described(value) for setting, value in row.outcome.settings.items()}
        line["validation_elbo"] = row.outcome.validation_elbo.get(run.seed)
    if run.seed in row.failures:
        return {**line, "status": "failed", "why": row.failures[run.seed]}
    if run.seed in row.runs:
        report = row.runs[run.seed].report
        line["status"] = "finished"
        for measure in MEASURED.values():
            line[measure] = report[measure]["mean"]
            line[f"{measure}_error"] = report[measure]["standard_error"]
    return line
