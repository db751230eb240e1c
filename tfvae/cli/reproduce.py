"""Options of `tfvae reproduce`."""

from pathlib import Path
from typing import Annotated

import typer

from tfvae.cli import checks
from tfvae.cli.loading import commands


def reproduce(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="kingma-welling-2013, burda-2016, kingma-2014 or nalisnick-2017.")
    ],
    budget: Annotated[
        str, typer.Option(help="quick (minutes), standard (hours on two cores) or full (as long as in the paper).")
    ] = "quick",
    reading: Annotated[
        str | None,
        typer.Option(help="How to read what the paper leaves open. kingma-welling-2013 has stddev and variance."),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="Experiment to run, such as figure-4. Can be repeated. (default: all)")
    ] = None,
    run_dir: Annotated[
        Path | None, typer.Option(help="Folder for the models. (default: runs/NAME-BUDGET-seedSEED)")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for figures and numbers. (default: the run folder)")
    ] = None,
    seed: Annotated[int, typer.Option(help="Random seed.", min=0)] = 0,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of frey_faces.npz. (default: TFVAE_DATA_DIR)")] = None,
) -> None:
    """Run the experiments of a paper and check its claims. An interrupted run resumes."""
    from tfvae.papers import BUDGETS, REPRODUCTIONS

    checks.check_choice(name, tuple(REPRODUCTIONS), "reproduction")
    checks.check_choice(budget, BUDGETS, "budget")
    checks.check_folder(run_dir, output)
    commands("papers").reproduce(name, budget, reading, only or [], run_dir, output, seed, data_dir)
