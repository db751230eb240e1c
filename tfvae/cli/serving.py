"""Options of `tfvae serve`."""

from pathlib import Path
from typing import Annotated

import typer

from tfvae.cli import checks
from tfvae.cli.loading import commands

PortOption = Annotated[int, typer.Option(help="Port to listen on. 0 chooses a free port.", min=0, max=65535)]
HostOption = Annotated[
    str,
    typer.Option(
        help="Address to listen on. The default is reachable from this machine only; 0.0.0.0 opens it to others."
    ),
]
AllowedHostOption = Annotated[
    list[str] | None,
    typer.Option(
        "--allowed-host",
        metavar="NAME",
        help="Host name that requests may use, besides localhost and --host. *.example.com allows all names with this "
        "ending; * disables this protection against other web pages. Can be repeated.",
    ),
]


def serve(
    model: Annotated[
        Path, typer.Argument(metavar="RUN_OR_SAVED_MODEL", help="Run folder, SavedModel, or folder of its versions.")
    ],
    port: PortOption = 8501,
    host: HostOption = "127.0.0.1",
    allowed_host: AllowedHostOption = None,
    name: Annotated[str | None, typer.Option(help="Name of the model in URLs. (default: the folder's)")] = None,
    batching: Annotated[bool, typer.Option(help="Batch waiting requests if this does not change the results.")] = True,
    max_batch_rows: Annotated[
        int, typer.Option(min=1, help="Maximum number of examples in a batch of requests.")
    ] = 128,
    max_rows: Annotated[
        int, typer.Option(min=1, help="Maximum number of examples per request. --max-numbers may lower it.")
    ] = 1024,
    max_numbers: Annotated[
        int,
        typer.Option(
            min=1, help="Maximum number of values in a tensor of a request or response. One example is always allowed."
        ),
    ] = 2**18,
    max_num_samples: Annotated[int, typer.Option(min=1, help="Maximum number of samples per example.")] = 10_000,
    max_waiting: Annotated[
        int, typer.Option(min=1, help="Maximum number of waiting requests. Further ones get status 429.")
    ] = 256,
) -> None:
    """Serve a model over HTTP with the REST API of TensorFlow Serving."""
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
