"""Options of `tfvae parts`."""

from typing import Annotated

import typer

from tfvae.cli.loading import commands
from tfvae.parts.listing import require_kind, setting_of


def parts(
    family: Annotated[
        str | None, typer.Argument(help="network, posterior, likelihood, prior, estimator, beta, optimizer ...")
    ] = None,
    kind: Annotated[str | None, typer.Argument(help="One of the names that the list shows.")] = None,
) -> None:
    """List the parts of a run that a file can name, with their arguments, or show one."""
    if family is not None:
        setting = setting_of(family)
        if kind is not None:
            require_kind(setting, kind)
    commands("parts").parts(family, kind)
