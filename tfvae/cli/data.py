"""`tfvae data`: preparing data."""

from pathlib import Path
from typing import Annotated

import typer

from tfvae.cli.loading import commands


def shard(
    data: Annotated[str, typer.Argument(metavar="DATA", help="A data set's name, or a .npy or .npz file.")],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder to make.")],
    shard_size: Annotated[
        int | None, typer.Option(min=1, help="Examples in a file. (default: as many as fill 64 MB)")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the training examples' order.", min=0)] = 0,
) -> None:
    """Write data as TFRecord shards, which training reads bit by bit: for data larger than memory."""
    from tfvae.data.load import check_source
    from tfvae.data.shards import require_free

    require_free(folder)
    check_source(data)
    commands("data").shard(data, folder, shard_size, seed)
