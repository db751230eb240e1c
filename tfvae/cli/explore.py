"""Options of `tfvae explore`."""

from typing import Annotated

import typer

from tfvae.cli import checks
from tfvae.cli.arguments import RunArgument
from tfvae.cli.loading import commands
from tfvae.cli.serving import AllowedHostOption, HostOption, PortOption


def explore(
    run: RunArgument,
    port: PortOption = 8600,
    host: HostOption = "127.0.0.1",
    allowed_host: AllowedHostOption = None,
    split: Annotated[str, typer.Option(help="Split shown on the map: train, validation or test.")] = "test",
    num_examples: Annotated[
        int,
        typer.Option("--num-examples", "-n", min=1, help="Number of examples on the map, from the start of the split."),
    ] = 5000,
    open_page: Annotated[
        bool | None,
        typer.Option("--open/--no-open", help="Open the page in a browser. (default: if there is a desktop)"),
    ] = None,
) -> None:
    """Explore the latent space of a run in the browser: map, sliders, paths and your own images."""
    data = checks.check_run(run).data
    checks.check_data(data, split)
    commands("explore").explore(
        run,
        port,
        host,
        allowed_hosts=allowed_host or (),
        split=split,
        num_examples=num_examples,
        open_page=open_page,
    )
