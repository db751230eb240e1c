"""`tfvae data`."""

from pathlib import Path

from tfvae import data as tfvae_data
from tfvae.cli.commands.output import say
from tfvae.data.files import read_arrays
from tfvae.data.shards import require_free


def shard(data: str, folder: Path, shard_size: int | None, seed: int) -> None:
    """`tfvae data shard`."""
    require_free(folder)
    path = Path(data).expanduser()
    # An array on disk may be larger than memory.
    is_array = path.suffix == ".npy"
    source = read_arrays(path, mapped=True)["arr_0"] if is_array else tfvae_data.load(data)
    name = path.stem if is_array else None
    tfvae_data.write_shards(source, folder, shard_size=shard_size, seed=seed, name=name)
    splits = tfvae_data.load(folder)
    for split in (splits.train, splits.validation, splits.test):
        if split is not None:
            say(f"{split.name}: {len(split):,} examples")
    say(f"Train on them with `tfvae train --data {folder}`.")
