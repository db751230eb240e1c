"""Arguments and options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="Run folder that `tfvae train` made.")]
SeedOption = Annotated[int, typer.Option(help="Seed of the draws.", min=0)]
DataArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[DATA]",
        help="A data set's name, a .npy or .npz file or a folder of shards; by default the run's own data.",
    ),
]
SplitOption = Annotated[
    str, typer.Option(help="train, validation or test; a file with one array is taken whole, in its own order.")
]
OutputOption = Annotated[
    Path | None, typer.Option("--output", "-o", help="Where to write; by default into the run folder.")
]
