"""Options of `tfvae parts`."""

from typing import Annotated

import typer

from tfvae.cli.loading import commands


def parts(
    family: Annotated[
        str | None, typer.Argument(help="network, posterior, likelihood, prior, estimator, beta, optimizer ...")
    ] = None,
    kind: Annotated[str | None, typer.Argument(help="One of the names that the list shows.")] = None,
) -> None:
    """List the parts of a run that a file can name, with their arguments, or show one."""
    commands("parts").parts(family, kind)
