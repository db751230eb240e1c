"""Implementation of `tfvae data`."""

from pathlib import Path
from typing import Any

from tfvae import data as tfvae_data
from tfvae.cli.commands.saying import say


def shard(data: str, folder: Path, shard_size: int | None, seed: int, options: dict[str, Any]) -> None:
    """Runs `tfvae data shard`."""
    tfvae_data.shard(data, folder, shard_size=shard_size, seed=seed, **options)
    splits = tfvae_data.load(folder)
    for split in splits.all.values():
        say(f"{split.name}: {len(split):,} examples")
    if splits.schema is not None:
        say(splits.schema.describe())
    condition = f" --condition {options['condition']}" if options.get("condition") else ""
    say(f"To train on them: `tfvae train --data {folder}{condition}`.")
