"""`tfvae explore`: its options."""

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
    split: Annotated[str, typer.Option(help="Examples on the map: train, validation or test.")] = "test",
    num_examples: Annotated[int, typer.Option("--num-examples", "-n", min=1, help="The first n of them.")] = 5000,
    open_page: Annotated[
        bool | None, typer.Option("--open/--no-open", help="Open the page in a browser. (default: where there is one)")
    ] = None,
) -> None:
    """Explore a run's latent space in the browser: a map, sliders, paths, your own images."""
    checks.check_data(checks.check_run(run).data.name, split)
    commands("explore").explore(
        run,
        port,
        host,
        allowed_hosts=allowed_host or (),
        split=split,
        num_examples=num_examples,
        open_page=open_page,
    )
