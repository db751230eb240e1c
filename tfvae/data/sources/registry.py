"""Which source reads a name or a path: a new source is one file in this package and one line here."""

from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

from tfvae.data.errors import DataError
from tfvae.data.shard_header import is_shards
from tfvae.data.sources import archives, arrays, digits, shards, tfds
from tfvae.data.sources.source import Request, Source
from tfvae.data.sources.unreadable import reporting_unreadable, unknown, unreadable

NAMES: MappingProxyType[str, Source] = MappingProxyType(
    {
        "digits": digits.DIGITS,
        "mnist": tfds.TFDS,
        "fashion_mnist": tfds.TFDS,
        "binarized_mnist": tfds.TFDS,
        "frey_face": archives.FREY_FACE,
        "caltech101_silhouettes": archives.CALTECH101_SILHOUETTES,
        "omniglot": archives.OMNIGLOT,
    }
)
_PREFIXES: MappingProxyType[str, Source] = MappingProxyType({tfds.PREFIX: tfds.TFDS})
_SUFFIXES: MappingProxyType[str, Source] = MappingProxyType(
    {".npy": arrays.NPY, ".npz": arrays.NPZ, ".tfrecord": shards.SINGLE_SHARD}
)
# Whether a folder is of a kind, and its source; the first that fits.
_FOLDERS: tuple[tuple[Callable[[Path], bool], Source], ...] = ((is_shards, shards.SHARDS),)


def source_of(request: Request) -> Source:
    """Returns the source of a name or a path, without looking at the disk.

    Raises:
        DataError: If the name cannot be a path.
    """
    if request.name in NAMES:
        return NAMES[request.name]
    prefixed = [source for prefix, source in _PREFIXES.items() if request.name.startswith(prefix)]
    return prefixed[0] if prefixed else _SUFFIXES.get(request.path.suffix, _FOLDER)


def _kind_of_folder(request: Request) -> Source:
    """Returns the source of a folder.

    Raises:
        DataError: If there is no folder, or none that a source can read.
    """
    if not request.name:
        raise DataError("A data set's name or path is empty. Give one. Received: name=''")
    path = request.path
    with reporting_unreadable(request.name):
        for is_kind, source in _FOLDERS:
            if is_kind(path):
                return source
        exists = path.exists()
    raise unreadable(request.name, path) if exists else unknown(request.name, NAMES)


_FOLDER = Source(
    load=lambda request: _kind_of_folder(request).load(request),
    check=lambda request: _kind_of_folder(request).check(request),
    whole=lambda request: _kind_of_folder(request).whole(request),
)
