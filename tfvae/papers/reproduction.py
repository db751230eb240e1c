"""Running the experiments of a paper."""

import dataclasses
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
    reading: str | None = None,
    only: Sequence[str] = (),
    run_dir: str | os.PathLike[str] | None = None,
    output: str | os.PathLike[str] | None = None,
    seed: int = 0,
    data_dir: str | os.PathLike[str] | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, Result]:
    """Runs the experiments of a paper and writes their pictures, numbers and a page about them.

    Every model is saved during training. An interrupted call can be repeated: it resumes and skips finished work.

    Args:
        name: Key of `tfvae.papers.REPRODUCTIONS`, such as "kingma-welling-2013".
        budget: "quick" (minutes), "standard" (hours on two cores) or "full" (as long as in the paper).
        reading: How to read what the paper leaves open, such as "variance" for the initial weights of
            "kingma-welling-2013". None is the reading that suits the baselines of the paper best.
        only: Names of experiments, such as "figure-4". Empty runs all.
        run_dir: Folder of the models. None uses `runs/<name>-<budget>-seed<seed>`, with the reading if one is given.
        output: Folder of pictures, JSON files and `README.md`. None uses `run_dir`.
        seed: Random seed.
        data_dir: Folder of `frey_faces.npz`. None uses `TFVAE_DATA_DIR`.
        say: Function that receives lines about the progress.

    Returns:
        The results by name of the experiment.

    Raises:
        ValueError: If the name, budget, reading or experiment is unknown, data are missing, or the run folder has other
            settings.
    """
    module = importlib.import_module(f"tfvae.papers.{_lookup(name, REPRODUCTIONS, 'reproduction')}")
    budget = _lookup(budget, {key: key for key in BUDGETS}, "budget")
    names = tuple(module.EXPERIMENTS)
    only = [only] if isinstance(only, str) else only
    chosen = [_lookup(each, {key: key for key in names}, "experiment") for each in only] or list(names)
    sizes, title = module.BUDGETS[budget], f"{name}-{budget}"
    if reading is not None:
        readings = getattr(module, "READINGS", {})
        sizes = dataclasses.replace(sizes, **readings[_lookup(reading, {key: key for key in readings}, "reading")])
        title += f"-{reading}"
    folder = Path(run_dir) if run_dir is not None else Path("runs") / f"{title}-seed{seed}"
    place = folder if output is None else Path(output)
    job = Job(folder, seed, say, None if data_dir is None else Path(data_dir))
    _require_data(module.DATA, chosen, job)
    results = {}
    for experiment in names:
        if experiment not in chosen:
            continue
        say(f"{experiment}:")
        result = module.EXPERIMENTS[experiment](job, sizes)
        options = (f" --reading {reading}" if reading else "") + (f" --seed {seed}" if seed else "")
        command = f"tfvae reproduce {name} --budget {budget} --only {experiment}{options}"
        write_result(place, experiment, result, {"command": command, "seed": seed, **of_numbers(result.numbers)})
        write_page(place, module.TITLE, module.INTRODUCTION, names)
        results[experiment] = result
    return results


def _require_data(data: Mapping[str, Sequence[Callable[[Job], object]]], chosen: Sequence[str], job: Job) -> None:
    """Checks at the start that all data are available, not only hours later.

    Raises:
        DataError: If data are missing. The message tells how to run the experiments that do not need them.
    """
    for load in dict.fromkeys(load for experiment in chosen for load in data[experiment]):
        try:
            load(job)
        except DataError as error:
            others = [experiment for experiment in chosen if load not in data[experiment]]
            if not others:
                raise
            advice = " ".join(f"--only {experiment}" for experiment in others)
            raise DataError(f"{error} To run the other experiments: {advice}") from error


def _lookup(key: str, table: Mapping[str, str], kind: str) -> str:
    if key not in table:
        known = f"Expected one of: {', '.join(table)}." if table else f"This paper has no {kind} to choose."
        raise ValueError(f"There is no {kind} {key!r}. {known}")
    return table[key]
