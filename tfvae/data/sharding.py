"""Shards of whatever `load` reads, piece by piece where the data may be larger than memory."""

import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tfvae._targets import expanded, output_folder, require_space
from tfvae.data.errors import DataError
from tfvae.data.load import load
from tfvae.data.requests import ImageSize, request_of, source_for
from tfvae.data.shards import require_free, write_shards


def shard(
    name: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    shard_size: int | None = None,
    seed: int = 0,
    condition: str | None = None,
    missing: str | None = None,
    image_size: ImageSize = None,
    label: str | None = None,
    columns: Mapping[str, Any] | None = None,
) -> Path:
    """Writes data that `load` reads as a folder of shards.

    A `.npy` file, a folder of images and a table are read piece by piece, and may be larger than memory. Other data are
    loaded first.

    Args:
        name: As for `load`.
        folder: The folder to make; it must not exist, or be empty.
        shard_size: As for `write_shards`.
        seed: The seed of the order of the training examples, and of the cut of a `.npy` file. Other data are cut as
            `load` cuts them.
        condition: As for `load`. Train on the shards with the same condition.
        missing: As for `load`.
        image_size: As for `load`.
        label: As for `load`.
        columns: As for `load`.

    Returns:
        The folder.

    Raises:
        DataError: If `load` refuses the data, or the folder is not empty.
        MemoryError: If the data have to be loaded first, and do not fit in memory.

    Example:
        >>> folder = tfvae.data.shard("digits", "digits_shards")
        >>> len(tfvae.data.load(folder).train)
        1437
    """
    options: dict[str, Any] = {
        "condition": condition,
        "missing": missing,
        "image_size": image_size,
        "label": label,
        "columns": columns,
    }
    require_free(expanded(folder, kind=DataError))
    request = request_of(name, **options)
    source = source_for(request)
    write = _writing(folder, shard_size, seed, condition)
    array = None if source.on_disk is None or condition or missing else source.on_disk(request)
    if array is not None:
        require_space(Path(folder), array.size * (4 if array.dtype.kind == "f" else 1))  # others are stored as bytes
        return write(array, name=request.path.stem)
    if source.stream is not None:
        path, target = request.path.resolve(), output_folder(expanded(folder, kind=DataError))
        existing = next(parent for parent in target.absolute().parents if parent.is_dir())
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=existing) as scratch:
            return write(source.stream(request, Path(scratch)), name=path.name if path.is_dir() else path.stem)
    return write(load(name, **options))


def _writing(
    folder: str | os.PathLike[str], shard_size: int | None, seed: int, condition: str | None
) -> Callable[..., Path]:
    def write(source: Any, name: str | None = None) -> Path:
        named = {} if condition is None else {"condition": condition}
        return write_shards(source, folder, shard_size=shard_size, seed=seed, name=name, **named)

    return write
