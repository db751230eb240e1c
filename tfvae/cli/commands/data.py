"""Implementation of `tfvae data`."""

from pathlib import Path

from tfvae import data as tfvae_data
from tfvae._targets import expanded, require_space
from tfvae.cli.commands.output import say
from tfvae.data.load import on_disk
from tfvae.data.shards import require_free


def shard(data: str, folder: Path, shard_size: int | None, image_size: str | None, seed: int) -> None:
    """Runs `tfvae data shard`."""
    require_free(folder)
    array = on_disk(data)  # it may be larger than memory
    if array is None:
        splits = tfvae_data.load(data, image_size=image_size)
        tfvae_data.write_shards(splits, folder, shard_size=shard_size, seed=seed)
    else:
        require_space(folder, array.size * (4 if array.dtype.kind == "f" else 1))  # others are stored as bytes
        tfvae_data.write_shards(array, folder, shard_size=shard_size, seed=seed, name=expanded(data).stem)
    splits = tfvae_data.load(folder)
    for split in (splits.train, splits.validation, splits.test):
        if split is not None:
            say(f"{split.name}: {len(split):,} examples")
    say(f"To train on them: `tfvae train --data {folder}`.")
