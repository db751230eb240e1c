"""`tfvae reproduce`: its options."""

from pathlib import Path
from typing import Annotated

import typer

from tfvae.cli import checks
from tfvae.cli.loading import commands


def reproduce(
    name: Annotated[str, typer.Argument(metavar="NAME", help="kingma-welling-2013 or burda-2016.")],
    budget: Annotated[
        str, typer.Option(help="quick (minutes), standard (hours on two cores) or full (the paper's own length).")
    ] = "quick",
    only: Annotated[
        list[str] | None, typer.Option(help="An experiment, such as figure-4; may be given several times. All if none.")
    ] = None,
    run_dir: Annotated[
        Path | None, typer.Option(help="Where the models stay. By default runs/NAME-BUDGET-seedSEED.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where pictures and numbers go; by default the run folder.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of everything random.", min=0)] = 0,
    data_dir: Annotated[
        Path | None, typer.Option(help="The folder of frey_faces.npz; by default that which TFVAE_DATA_DIR names.")
    ] = None,
) -> None:
    """Run a paper's experiments: pictures, numbers as JSON, and whether its claims hold. Goes on where it was."""
    from tfvae.papers import BUDGETS, REPRODUCTIONS

    checks.check_choice(name, tuple(REPRODUCTIONS), "reproduction")
    checks.check_choice(budget, BUDGETS, "budget")
    checks.check_folder(run_dir, output)
    commands("papers").reproduce(name, budget, only or [], run_dir, output, seed, data_dir)
