"""Runs a paper's experiments, as many as are not done yet."""

import importlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tfvae.data import DataError
from tfvae.papers import BUDGETS, REPRODUCTIONS
from tfvae.papers.job import Job
from tfvae.papers.provenance import of_numbers
from tfvae.papers.report import write_page, write_result
from tfvae.papers.result import Result


def reproduce(
    name: str,
    *,
    budget: str = "quick",
    only: Sequence[str] = (),
    run_dir: str | os.PathLike[str] | None = None,
    output: str | os.PathLike[str] | None = None,
    seed: int = 0,
    data_dir: str | os.PathLike[str] | None = None,
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
        data_dir: the folder of `frey_faces.npz`; None is that which `TFVAE_DATA_DIR` names.
        say: takes lines about the progress.

    Returns:
        The results by the experiments' names.

    Raises:
        ValueError: for a name, budget or experiment that does not exist, data that are not there, or a run folder of
            other settings.
    """
    module = importlib.import_module(f"tfvae.papers.{_known(name, REPRODUCTIONS, 'reproduction')}")
    budget = _known(budget, {key: key for key in BUDGETS}, "budget")
    names = tuple(module.EXPERIMENTS)
    only = [only] if isinstance(only, str) else only
    chosen = [_known(each, {key: key for key in names}, "experiment") for each in only] or list(names)
    folder = Path(run_dir) if run_dir is not None else Path("runs") / f"{name}-{budget}-seed{seed}"
    place = folder if output is None else Path(output)
    job = Job(folder, seed, say, None if data_dir is None else Path(data_dir))
    _require_data(module.DATA, chosen, job)
    results = {}
    for experiment in names:
        if experiment not in chosen:
            continue
        say(f"{experiment}:")
        result = module.EXPERIMENTS[experiment](job, module.BUDGETS[budget])
        command = f"tfvae reproduce {name} --budget {budget} --only {experiment}" + (f" --seed {seed}" if seed else "")
        write_result(place, experiment, result, {"command": command, "seed": seed, **of_numbers(result.numbers)})
        write_page(place, module.TITLE, module.INTRODUCTION, names)
        results[experiment] = result
    return results


def _require_data(data: Mapping[str, Sequence[Callable[[Job], object]]], chosen: Sequence[str], job: Job) -> None:
    """What is not there is missed now, not hours later.

    Raises:
        DataError: saying how to run what does without.
    """
    for load in dict.fromkeys(load for experiment in chosen for load in data[experiment]):
        try:
            load(job)
        except DataError as error:
            others = [experiment for experiment in chosen if load not in data[experiment]]
            if not others:
                raise
            advice = " ".join(f"--only {experiment}" for experiment in others)
            raise DataError(f"{error} Without it: {advice}") from error


def _known(key: str, table: Mapping[str, str], kind: str) -> str:
    if key not in table:
        raise ValueError(f"There is no {kind} {key!r}. There are: {', '.join(table)}.")
    return table[key]
