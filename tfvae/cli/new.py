"""Options of `tfvae new`."""

from pathlib import Path
from typing import Annotated

import typer

from tfvae.cli import checks
from tfvae.cli.loading import commands
from tfvae.training.settings import DataConfig


def new(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="TOML file to write.")],
    data: Annotated[str, typer.Option(help="As for `tfvae train`.")] = "digits",
    network: Annotated[str | None, typer.Option(help="mlp, conv or another network.", show_default="mlp")] = None,
    missing: Annotated[str, typer.Option(help="As for `tfvae train`.", show_default=False)] = "",
    image_size: Annotated[str, typer.Option(help="As for `tfvae train`.", show_default=False)] = "",
) -> None:
    """Write a commented file of settings that fit the data, for `tfvae train --config FILE`."""
    checks.check_file(file)
    if file.exists():
        raise ValueError(f"{file} exists already. Give another name. Nothing was changed.")
    settings = DataConfig(name=data, missing=missing, image_size=image_size)
    checks.check_data(settings)
    commands("parts").new(file, settings, network)
