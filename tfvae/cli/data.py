"""Options of `tfvae data`, which prepares data."""

from pathlib import Path
from typing import Annotated

import typer

from tfvae.cli.arguments import column_kinds
from tfvae.cli.loading import commands


def shard(
    data: Annotated[
        str,
        typer.Argument(metavar="DATA", help="Name of a data set, a table, a .npy or .npz file, or a folder of images."),
    ],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder to create.")],
    shard_size: Annotated[
        int | None, typer.Option(min=1, help="Examples per file. (default: as many as fit into 64 MB)")
    ] = None,
    condition: Annotated[str | None, typer.Option(help="As for `tfvae train`.")] = None,
    missing: Annotated[str | None, typer.Option(help="As for `tfvae train`.")] = None,
    label: Annotated[str | None, typer.Option(help="As for `tfvae train`.")] = None,
    columns: Annotated[list[str] | None, typer.Option(help="As for `tfvae train`.")] = None,
    image_size: Annotated[str | None, typer.Option(help="As for `tfvae train`.")] = None,
    seed: Annotated[int, typer.Option(help="Random seed of the order of the training examples.", min=0)] = 0,
) -> None:
    """Write data as TFRecord shards, which training reads piece by piece. For data larger than memory."""
    from tfvae.data.checks import check_source
    from tfvae.data.shards import require_free

    require_free(folder)
    options = {"condition": condition, "missing": missing, "label": label, "image_size": image_size}
    check_source(data, **options)
    commands("data").shard(data, folder, shard_size, seed, {**options, "columns": column_kinds(columns)})
