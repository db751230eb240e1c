"""Arguments and options shared by several commands."""

from pathlib import Path
from typing import Annotated

import typer

from tfvae._errors import quoted

RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="Run folder written by `tfvae train`.")]
SeedOption = Annotated[int, typer.Option(help="Random seed of the draws.", min=0)]
DataArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[DATA]",
        help="Name of a data set, .npy or .npz file, or folder of shards. (default: the run's own data)",
    ),
]
SplitOption = Annotated[
    str, typer.Option(help="train, validation or test. A file with a single array is used whole, in its own order.")
]
OutputOption = Annotated[
    Path | None, typer.Option("--output", "-o", help="File or folder to write. (default: inside the run folder)")
]
IdOption = Annotated[
    str | None,
    typer.Option(help="Column of a table that identifies its rows, for the output.", show_default="the run's"),
]


def column_kinds(columns: list[str] | None) -> dict[str, str] | None:
    """Returns the kinds of columns, given as NAME=KIND."""
    if not columns:
        return None
    found = {}
    for text in columns:
        name, equals, kind = text.rpartition("=")
        if not equals or not name:
            raise typer.BadParameter(f"expected NAME=KIND, such as age=real. Received: {quoted(text)}")
        found[name] = kind
    return found
