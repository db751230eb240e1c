"""Comparison of several runs: a table and a figure of their curves."""

import dataclasses
import io
import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfvae._errors import reading
from tfvae._files import write_bytes, write_text
from tfvae._markdown import table_row
from tfvae._reported import number, value_with_error
from tfvae.parts import is_part, part_of
from tfvae.training.config import RunConfig
from tfvae.training.differences import Difference, difference
from tfvae.training.per_example import PerExample, read_per_example
from tfvae.training.run_folder import RunFolder
from tfvae.training.settings import ModelConfig, TrainingConfig

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

COLUMNS = ("run", "model", "estimator", "ELBO", "log p(x)", "active units", "epochs", "training")
MEASURED = {"ELBO": "elbo", "log p(x)": "log_marginal"}
_MAX_CHARACTERS = 2000
_MAX_DRAWN = 1e30  # differences of larger numbers overflow in Matplotlib


@dataclasses.dataclass(frozen=True)
class ComparedRun:
    """Data of a run that a comparison needs.

    Attributes:
        name: Shortest unique end of its path.
        config: Configuration of the run.
        report: Content of `report.json`.
        history: Columns of `metrics.csv`.
        per_example: Values per example, or None for a run of an earlier version.
    """

    name: str
    config: RunConfig
    report: dict[str, Any]
    history: dict[str, list[float]]
    per_example: PerExample | None = None

    def require_complete(self) -> None:
        """Raises an error if the report lacks a value that the comparison shows."""
        for text in (self.data, *self.cells.values()):
            if len(text) > _MAX_CHARACTERS:
                raise ValueError(f"expected a name or a number, found a text of {len(text):,} characters")

    @property
    def data(self) -> str:
        """Description of the evaluation. Numbers of runs are only comparable if it is the same."""
        likelihood = self.report["config"]["model"]["likelihood"]
        likelihood = likelihood["kind"] if isinstance(likelihood, Mapping) else likelihood
        return (
            f"{self.report['split']}, {number(self.report['elbo'], 'num_examples'):,} examples, binarisation "
            f"{self.config.data.binarize}, {likelihood} likelihood, log p(x) from "
            f"{number(self.report['log_marginal'], 'num_importance_samples'):,} importance samples"
        )

    @property
    def cells(self) -> dict[str, str]:
        """Row of the table, by column."""
        model, training, report = self.config.model, self.config.training, self.report
        active = report.get("active_units")
        network = " ".join(filter(None, [model.network_kind, "-".join(map(str, model.network_sizes))]))
        latents = f"{model.latent_size} latent{'s' if model.latent_size > 1 else ''}"
        return {
            "run": self.name,
            "model": f"{network}, {latents}, {_distributions(model)}",
            "estimator": _estimator(training),
            "ELBO": value_with_error(report["elbo"]),
            "log p(x)": value_with_error(report["log_marginal"]),
            "active units": "" if active is None else f"{active['num_active']} of {len(active['active'])}",
            "epochs": str(report["epochs"]),
            "training": f"{number(report, 'training_seconds'):,.0f} s",
        }


def read_runs(run_dirs: Sequence[str | os.PathLike[str]]) -> list[ComparedRun]:
    """Reads the reports of runs, in the order given.

    Raises:
        ValueError: If there are fewer than two runs, a run is given twice, a path is not a run folder, or a run has no
            report.
    """
    paths = [Path(run_dir) for run_dir in run_dirs]
    resolved = [Path(os.path.realpath(path)) for path in paths]
    if len(set(resolved)) < max(2, len(paths)):
        raise ValueError(f"A comparison requires two or more different runs. Received: {', '.join(map(str, paths))}")
    names = _shortest_names(resolved)
    return [read_run(path, name) for path, name in zip(paths, names, strict=True)]


def groups(runs: Sequence[ComparedRun]) -> dict[str, list[ComparedRun]]:
    """Groups the runs by the data they were evaluated on."""
    found: dict[str, list[ComparedRun]] = {}
    for run in runs:
        found.setdefault(run.data, []).append(run)
    return found


def highest(runs: Sequence[ComparedRun], column: str) -> ComparedRun | None:
    """Returns the run with the highest mean in a measured column. None for other columns or without known values."""
    if column not in MEASURED:
        return None
    name = MEASURED[column]
    known = [run for run in runs if run.report[name]["mean"] is not None]
    return max(known, key=lambda run: run.report[name]["mean"]) if known else None


def behind(runs: Sequence[ComparedRun], column: str) -> dict[str, Difference]:
    """Returns the difference between the highest run and each other run in a measured column, by name."""
    ahead = highest(runs, column)
    if ahead is None:
        return {}
    name = MEASURED[column]
    others = [run for run in runs if run is not ahead and run.report[name]["mean"] is not None]
    return {run.name: difference(ahead, run, name) for run in others}


def best(runs: Sequence[ComparedRun], column: str) -> ComparedRun | None:
    """Returns the run that is ahead of all others by more than two standard errors of the difference, if any."""
    apart = behind(runs, column)
    return highest(runs, column) if apart and all(found.is_clear for found in apart.values()) else None


def about_differences(runs: Sequence[ComparedRun]) -> str:
    """Explains the standard errors of the differences in words."""
    unpaired = sorted({name for column in MEASURED for name, d in behind(runs, column).items() if not d.is_paired})
    bold = "A value is bold if it exceeds all others by more than two standard errors of the difference."
    if not unpaired:
        return f"{bold} Differences and their errors are computed example by example."
    return (
        f"{bold} Differences and their errors are computed example by example if both runs have values of the same "
        f"examples (written by `tfvae evaluate`). For {', '.join(unpaired)} the errors of both means are combined, "
        "which overestimates the error for runs that were evaluated on the same data."
    )


def comparison_markdown(runs: Sequence[ComparedRun]) -> str:
    """Returns the page: two tables for each group of comparable runs, and the figure."""
    lines = ["# Comparison of runs", ""]
    for data, group in groups(runs).items():
        lines += [
            f"On {data}:",
            "",
            table_row(COLUMNS),
            "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |",
        ]
        for run in group:
            cells = [f"**{text}**" if best(group, column) is run else text for column, text in run.cells.items()]
            lines.append(table_row(cells))
        lines.append("")
        if len(group) > 1:
            lines += [table_row(("difference from the highest", *MEASURED)), "| --- | ---: | ---: |"]
            lines += [table_row(row) for row in differences(group)]
            lines += ["", about_differences(group), ""]
    lines += ["Nats; ± is one standard error over the examples.", "", "![Curves](comparison.png)"]
    return "\n".join(lines) + "\n"


def differences(runs: Sequence[ComparedRun]) -> list[tuple[str, ...]]:
    """Returns the rows of a table with the difference of each run from the highest in each measurement."""
    columns = [behind(runs, column) for column in MEASURED]
    ahead = [highest(runs, column) for column in MEASURED]

    def cell(run: ComparedRun, i: int) -> str:
        if ahead[i] is run:
            return "highest"
        return str(columns[i][run.name]) if run.name in columns[i] else "unknown"

    return [(run.name, *(cell(run, i) for i in range(len(MEASURED)))) for run in runs]


def comparison_figure(runs: Sequence[ComparedRun]) -> "Figure":
    """Plots ELBO, log-likelihood and KL by epoch: validation as solid lines, training dashed, one colour per run.

    Each group of comparable runs has its own row.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    rows = list(groups(runs).values())
    figure = Figure(figsize=(13, 3.6 * len(rows) + 0.6), layout="constrained")
    colors = {run.name: f"C{i % 10}" for i, run in enumerate(runs)}
    panels = (("elbo", "ELBO"), ("log_likelihood", "log-likelihood"), ("kl", "KL"))
    handles = {}
    for group, row in zip(rows, figure.subplots(len(rows), 3, squeeze=False), strict=True):
        for axes, (name, title) in zip(row, panels, strict=True):
            for run in group:
                handles[run.name] = _draw(axes, run, name, colors[run.name])
            axes.set(title=title, xlabel="epoch", ylabel="nats per example")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.grid(alpha=0.3)
        row[0].set_title(group[0].report["split"], loc="left", fontsize="small")
    figure.legend(
        [handle for handle in handles.values() if handle is not None],
        [name for name, handle in handles.items() if handle is not None],
        title="validation; training dashed",
        loc="outside lower center",
        ncols=4,
        frameon=False,
    )
    return figure


def _draw(axes: "Axes", run: ComparedRun, name: str, color: str) -> "Line2D | None":
    """Draws the curves of one metric of a run. Returns the validation curve."""
    drawn = None
    for key, style in ((name, "--"), (f"val_{name}", "-")):
        values = _drawable(run.history.get(key, ()))
        if not values:
            continue
        epochs = [epoch + 1 for epoch in _drawable(run.history.get("epoch", range(len(values))))]
        (drawn,) = axes.plot(epochs, values, style, color=color, lw=1.4)
        # The first epochs would flatten the later ones.
        later = [value for value in values[len(values) // 10 :] if math.isfinite(value)]
        if not later:
            continue
        margin = 0.05 * (max(later) - min(later)) + 1e-6
        low, high = axes.get_ylim() if not axes.get_autoscaley_on() else (math.inf, -math.inf)
        axes.set_ylim(min(low, min(later) - margin), max(high, max(later) + margin))
    return drawn


def _drawable(values: Sequence[float]) -> list[float]:
    """Replaces values that are too large to draw by gaps."""
    return [value if abs(value) <= _MAX_DRAWN else math.nan for value in values]


def write_comparison(runs: Sequence[ComparedRun], folder: str | os.PathLike[str]) -> Path:
    """Writes `comparison.md` and `comparison.png`. Returns the path of the former."""
    buffer = io.BytesIO()
    comparison_figure(runs).savefig(buffer, format="png", dpi=110)
    write_bytes(Path(folder) / "comparison.png", buffer.getvalue())
    return write_text(Path(folder) / "comparison.md", comparison_markdown(runs))


def read_run(path: Path, name: str) -> ComparedRun:
    """Reads the report of a run, with the name it has in a comparison. Raises ValueError if there is none."""
    folder = RunFolder(path)
    folder.require_run()
    if not folder.report_json.is_file():
        raise ValueError(f"The run {path} has no report yet. Write it with `tfvae evaluate {path}`.")
    config, history = RunConfig.of_run(folder.config), folder.history()
    values = read_per_example(folder.per_example)
    with reading(folder.report_json, f"`tfvae evaluate {path}` rewrites it."):
        run = ComparedRun(name, config, json.loads(folder.report_json.read_text("utf-8")), history, values)
        run.require_complete()
    return run


def _shortest_names(paths: Sequence[Path]) -> list[str]:
    """Returns the shortest endings of the paths that are all different."""
    longest = max(len(path.parts) for path in paths)
    for count in range(1, longest + 1):
        names = ["/".join(path.parts[-count:]) for path in paths]
        if len(set(names)) == len(names):
            break
    return names


def _distributions(model: ModelConfig) -> str:
    posterior, _ = part_of(model.posterior, "model.posterior")
    prior, _ = part_of(model.prior, "model.prior")
    return posterior if prior == "standard_normal" else f"{posterior}, prior {prior}"


def _estimator(training: TrainingConfig) -> str:
    kind, arguments = part_of(training.estimator, "training.estimator")
    if kind == "sgvb":
        letter = {"analytic": "B", "monte_carlo": "A", "auto": "B"}[training.kl]
        parts = [f"{letter}, L = {training.num_samples}"]
    else:
        parts = [", ".join([kind, *(f"{name} = {value}" for name, value in arguments.items())])]
    beta = training.beta
    if is_part(beta):
        parts.append(f"beta: {part_of(beta, 'training.beta')[0]}")
    elif beta != 1.0:
        parts.append(f"beta = {beta:g}")
    return ", ".join(parts)
