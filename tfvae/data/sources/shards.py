"""The splits of a folder of shards."""

from pathlib import Path
from typing import NoReturn

from tfvae.data.errors import DataError
from tfvae.data.shard_header import ShardHeader
from tfvae.data.sharded_split import ShardedSplit
from tfvae.data.sources.source import Request, Source
from tfvae.data.sources.unreadable import reporting_unreadable
from tfvae.data.splits import Splits

# The largest size in bytes of a validation or test split that is read into memory.
_IN_MEMORY_BYTES = 2**26


def load_shards(folder: Path) -> Splits:
    """Loads the splits of a folder that `write_shards` made, small validation and test splits into memory.

    Raises:
        DataError: If the folder has no header, or if shards are missing, damaged or of another version.
    """
    header = ShardHeader.read(folder)
    splits = {split: ShardedSplit(folder, header, split) for split in header.num_examples}
    in_memory = {
        split: sharded.take(len(sharded))
        for split, sharded in splits.items()
        if split != "train" and len(sharded) * header.record_size <= _IN_MEMORY_BYTES
    }
    return Splits(header.name, **(splits | in_memory))


def _check(request: Request) -> None:
    ShardHeader.read(request.path)


def _refuse(request: Request) -> NoReturn:
    with reporting_unreadable(request.name):
        path = request.path.parent if request.path.parent.is_dir() else request.path
    raise DataError(
        f"{request.name} is a single shard. Give the folder of all of them, {path}, with the shards.json that "
        "`tfvae data shard` or tfvae.data.write_shards wrote."
    )


SHARDS = Source(lambda request: load_shards(request.path), check=_check)
SINGLE_SHARD = Source(_refuse, check=_refuse)
