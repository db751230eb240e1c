"""Comparison of several runs: their reports and the differences between them."""

import dataclasses
import functools
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tfvae._errors import reading
from tfvae._reported import number, value_with_error
from tfvae.parts import is_part, part_of
from tfvae.training.config import RunConfig
from tfvae.training.differences import Difference, difference
from tfvae.training.per_example import PerExample, read_per_example
from tfvae.training.run_folder import RunFolder
from tfvae.training.settings import ModelConfig, TrainingConfig

COLUMNS = ("run", "model", "estimator", "ELBO", "log p(x)", "active units", "epochs", "training")
MEASURED = {"ELBO": "elbo", "log p(x)": "log_marginal"}
_MAX_CHARACTERS = 2000


@dataclasses.dataclass(frozen=True, eq=False)
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

    @functools.cached_property
    def _differences(self) -> dict[tuple["ComparedRun", str], Difference]:
        return {}

    def minus(self, other: "ComparedRun", name: str) -> Difference:
        """Returns the difference of a measure to that of another run, which is computed once."""
        if (other, name) not in self._differences:
            self._differences[other, name] = difference(self, other, name)
        return self._differences[other, name]

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


def finished_runs(path: Path) -> list[Path]:
    """Returns the finished runs of a sweep, or the path itself if it is not the folder of a sweep.

    Raises:
        ValueError: If the sweep has no finished run.
    """
    if not (path / "sweep.toml").is_file():
        return [path]
    found = sorted(report.parent for report in path.glob("runs/*/*/report.json"))
    if not found:
        raise ValueError(f"The sweep {path} has no finished run yet. Continue it with `tfvae sweep`.")
    return found


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
    return {run.name: ahead.minus(run, name) for run in others}


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


def differences(runs: Sequence[ComparedRun]) -> list[tuple[str, ...]]:
    """Returns the rows of a table with the difference of each run from the highest in each measurement."""
    columns = [behind(runs, column) for column in MEASURED]
    ahead = [highest(runs, column) for column in MEASURED]

    def cell(run: ComparedRun, i: int) -> str:
        if ahead[i] is run:
            return "highest"
        return str(columns[i][run.name]) if run.name in columns[i] else "unknown"

    return [(run.name, *(cell(run, i) for i in range(len(MEASURED)))) for run in runs]


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
