"""Runs a paper's experiments, as many as are not done yet."""

import datetime
import importlib
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfvae.papers import BUDGETS, REPRODUCTIONS
from tfvae.papers.job import Job
from tfvae.papers.report import write_page, write_result
from tfvae.papers.result import Result
from tfvae.training.environment import environment


def reproduce(
    name: str,
    *,
    budget: str = "quick",
    only: Sequence[str] = (),
    run_dir: str | os.PathLike[str] | None = None,
    output: str | os.PathLike[str] | None = None,
    seed: int = 0,
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, Result]:
    """Runs the experiments of a paper, and writes their pictures, numbers and a page about them.

    Every model is saved while it trains; the same call goes on from there, and skips what is done.

    Args:
        name: a key of `tfvae.papers.REPRODUCTIONS`, such as "kingma-welling-2013".
        budget: "quick" (minutes), "standard" (hours on two cores) or "full" (the paper's own length).
        only: names of experiments, such as "figure-4"; none are all.
        run_dir: where the models stay; None is `runs/<name>-<budget>-seed<seed>`.
        output: where pictures, JSON files and `README.md` go; None is `run_dir`.
        seed: of everything random.
        say: takes lines about the progress.

    Returns:
        The results by the experiments' names.

    Raises:
        ValueError: for a name, budget or experiment that does not exist, or a run folder of other settings.
    """
    module = importlib.import_module(f"tfvae.papers.{_known(name, REPRODUCTIONS, 'reproduction')}")
    budget = _known(budget, {key: key for key in BUDGETS}, "budget")
    names = tuple(module.EXPERIMENTS)
    chosen = [_known(each, {key: key for key in names}, "experiment") for each in only] or list(names)
    folder = Path(run_dir) if run_dir is not None else Path("runs") / f"{name}-{budget}-seed{seed}"
    place = folder if output is None else Path(output)
    results = {}
    for experiment in names:
        if experiment not in chosen:
            continue
        say(f"{experiment}:")
        result = module.EXPERIMENTS[experiment](Job(folder, seed, say), module.BUDGETS[budget])
        command = f"tfvae reproduce {name} --budget {budget} --only {experiment}" + (f" --seed {seed}" if seed else "")
        write_result(place, experiment, result, _provenance(command, seed, result))
        write_page(place, module.TITLE, module.INTRODUCTION, names)
        results[experiment] = result
    return results


def _known(key: str, table: Mapping[str, str], kind: str) -> str:
    if key not in table:
        raise ValueError(f"There is no {kind} {key!r}. There are: {', '.join(table)}.")
    return table[key]


def _provenance(command: str, seed: int, result: Result) -> dict[str, Any]:
    where = environment()
    return {
        "command": command,
        "seed": seed,
        "machine": f"{os.cpu_count()} cores, {_processor()}",
        "seconds": round(_training_seconds(result.numbers)),
        "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        **{key: where[key] for key in ("tfvae", "commit", "python", "packages", "devices")},
    }


def _training_seconds(numbers: Any) -> float:
    """All that the curves took, whenever they were trained."""
    if not isinstance(numbers, Mapping):
        return 0.0
    own = float(numbers.get("training_seconds", 0.0))
    return own + float(np.sum([_training_seconds(value) for value in numbers.values()]))


def _processor() -> str:
    """What the processor calls itself."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
