"""Implementation of `tfvae data`."""

import math
from pathlib import Path

from tfvae import data as tfvae_data
from tfvae._targets import expanded, require_space
from tfvae.cli.commands.output import say
from tfvae.data.array_file import ArrayFile
from tfvae.data.shards import require_free


def shard(data: str, folder: Path, shard_size: int | None, seed: int) -> None:
    """Runs `tfvae data shard`."""
    require_free(folder)
    path = expanded(data)
    # An array on disk may be larger than memory.
    file = ArrayFile(path) if path.suffix == ".npy" else None
    is_array = file is not None and not file.is_archive
    source = file.mapped() if file is not None and is_array else tfvae_data.load(data)
    name = path.stem if is_array else None
    if file is not None and is_array:
        form = file.forms["arr_0"]  # integers and booleans are stored as bytes
        require_space(folder, math.prod(form.shape) * (4 if form.dtype.kind == "f" else 1))
    tfvae_data.write_shards(source, folder, shard_size=shard_size, seed=seed, name=name)
    splits = tfvae_data.load(folder)
    for split in (splits.train, splits.validation, splits.test):
        if split is not None:
            say(f"{split.name}: {len(split):,} examples")
    say(f"To train on them: `tfvae train --data {folder}`.")
