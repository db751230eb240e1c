"""The splits of a folder of shards."""

from pathlib import Path

from tfvae.data.shard_header import ShardHeader
from tfvae.data.sharded_split import ShardedSplit
from tfvae.data.splits import Splits

# Validation and test splits of at most so many bytes are read into memory.
_IN_MEMORY_BYTES = 2**26


def load_shards(folder: Path) -> Splits:
    """The splits of a folder that `write_shards` made; what is read into memory, `load` says.

    Raises:
        DataError: for a folder without a header, and for shards that are missing, damaged or of another version.
    """
    header = ShardHeader.read(folder)
    splits = {split: ShardedSplit(folder, header, split) for split in header.num_examples}
    held = {
        split: sharded.take(len(sharded))
        for split, sharded in splits.items()
        if split != "train" and len(sharded) * header.record_size <= _IN_MEMORY_BYTES
    }
    return Splits(header.name, **(splits | held))
