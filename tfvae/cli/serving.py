"""`tfvae serve`: its options."""

from pathlib import Path
from typing import Annotated

import typer

from tfvae.cli import checks
from tfvae.cli.loading import commands

PortOption = Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.", min=0, max=65535)]
HostOption = Annotated[
    str, typer.Option(help="Address to listen on: this machine alone, unless you say 0.0.0.0 or another.")
]
AllowedHostOption = Annotated[
    list[str] | None,
    typer.Option(
        "--allowed-host",
        metavar="NAME",
        help="Name by which the server is asked for, besides localhost and --host; *.example.com is all names that end "
        "so, and * turns this protection against foreign pages off. Can be given several times.",
    ),
]


def serve(
    model: Annotated[
        Path, typer.Argument(metavar="RUN_OR_SAVED_MODEL", help="Run folder, SavedModel, or folder of its versions.")
    ],
    port: PortOption = 8501,
    host: HostOption = "127.0.0.1",
    allowed_host: AllowedHostOption = None,
    name: Annotated[str | None, typer.Option(help="Model's name in addresses. (default: the folder's)")] = None,
    batching: Annotated[bool, typer.Option(help="Join waiting requests where that changes no answer.")] = True,
    max_batch_rows: Annotated[
        int, typer.Option(min=1, help="Examples computed at once when requests are joined.")
    ] = 128,
    max_rows: Annotated[
        int, typer.Option(min=1, help="Most examples in a request; fewer if those are --max-numbers.")
    ] = 1024,
    max_numbers: Annotated[
        int, typer.Option(min=1, help="Most numbers in a tensor, asked or answered; one example always may.")
    ] = 2**18,
    max_num_samples: Annotated[int, typer.Option(min=1, help="Most draws an example.")] = 10_000,
    max_waiting: Annotated[int, typer.Option(min=1, help="Most requests that wait; the next gets a 429.")] = 256,
) -> None:
    """Serve a model over HTTP, with TensorFlow Serving's REST API."""
    checks.check_served(model)
    limits = {
        "rows": max_rows,
        "numbers": max_numbers,
        "num_samples": max_num_samples,
        "waiting": max_waiting,
        "batch_rows": max_batch_rows,
    }
    commands("serving").serve(
        model, port, host, allowed_hosts=allowed_host or (), name=name, batching=batching, limits=limits
    )
