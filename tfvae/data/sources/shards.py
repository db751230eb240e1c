"""The splits of a folder of shards."""

from pathlib import Path
from typing import NoReturn

from tfvae._errors import quoted
from tfvae.data.errors import DataError
from tfvae.data.shard_header import ShardHeader
from tfvae.data.sharded_split import ShardedSplit
from tfvae.data.sources.source import Request, Source
from tfvae.data.sources.unreadable import reporting_unreadable
from tfvae.data.splits import Splits

# The largest size in bytes of a validation or test split that is read into memory.
_IN_MEMORY_BYTES = 2**26


def load_shards(folder: Path, condition: str | None = None) -> Splits:
    """Loads the splits of a folder that `write_shards` made, small validation and test splits into memory.

    Raises:
        DataError: If the folder has no header, if shards are missing, damaged or of another version, or if they have no
            such condition.
    """
    header = _header(folder, condition)
    splits = {
        split: ShardedSplit(folder, header, split, conditional=condition is not None) for split in header.num_examples
    }
    in_memory = {
        split: sharded.take(len(sharded))
        for split, sharded in splits.items()
        if split != "train" and len(sharded) * header.record_size <= _IN_MEMORY_BYTES
    }
    return Splits(header.name, **(splits | in_memory))


def _header(folder: Path, condition: str | None) -> ShardHeader:
    header = ShardHeader.read(folder)
    if condition in (None, header.condition):
        return header
    found = (
        f"shards with the condition {quoted(header.condition)}" if header.condition else "shards without a condition"
    )
    raise DataError(
        f"{folder} does not have the condition that is asked for. Write the shards again, with `tfvae data shard DATA "
        f"FOLDER --condition {condition}`. Received: condition={quoted(condition)} for {found}"
    )


def _check(request: Request) -> None:
    _header(request.path, request.condition)


def _refuse(request: Request) -> NoReturn:
    with reporting_unreadable(request.name):
        path = request.path.parent if request.path.parent.is_dir() else request.path
    raise DataError(
        f"{request.name} is a single shard. Give the folder of all of them, {path}, with the shards.json that "
        "`tfvae data shard` or tfvae.data.write_shards wrote."
    )


SHARDS = Source(
    lambda request: load_shards(request.path, request.condition), check=_check, has_arrays=True, has_conditions=True
)
SINGLE_SHARD = Source(_refuse, check=_refuse)
