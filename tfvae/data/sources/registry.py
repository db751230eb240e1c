"""Which source reads a name or a path: a new source is one file in this package and one line here."""

from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import NoReturn

from tfvae._data_names import is_table
from tfvae.data.errors import DataError
from tfvae.data.shard_header import is_shards
from tfvae.data.sources import archives, arrays, digits, h5ad, image_folders, shards, sparse_matrices, tables, tfds
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
    {".h5ad": h5ad.H5AD, ".npy": arrays.NPY, ".npz": arrays.NPZ, ".tfrecord": shards.SINGLE_SHARD}
)
# Whether a file is of a kind that its last suffix does not tell, and its source.
_FILES: tuple[tuple[Callable[[Path], bool], Source], ...] = (
    (sparse_matrices.is_matrix_market, sparse_matrices.MATRIX),
    (sparse_matrices.has_sparse_counts, sparse_matrices.MATRIX),
    (is_table, tables.TABLE),  # with a suffix of compression perhaps
)
# Whether a folder is of a kind, and its source; the first that fits.
_FOLDERS: tuple[tuple[Callable[[Path], bool], Source], ...] = (
    (is_shards, shards.SHARDS),
    (sparse_matrices.has_matrix_market, sparse_matrices.MATRIX),
    (image_folders.has_images, image_folders.IMAGES),
)


def source_of(request: Request) -> Source:
    """Returns the source of a name or a path. For an unknown one, it is a source whose functions raise DataError.

    Raises:
        DataError: If the path cannot be looked at.
    """
    if request.name in NAMES:
        return NAMES[request.name]
    prefixed = [source for prefix, source in _PREFIXES.items() if request.name.startswith(prefix)]
    if prefixed:
        return prefixed[0]
    path = request.path
    files = [source for is_kind, source in _FILES if is_kind(path)]
    if files:
        return files[0]
    if path.suffix in _SUFFIXES:
        return _SUFFIXES[path.suffix]
    with reporting_unreadable(request.name):
        folders = [source for is_kind, source in _FOLDERS if request.name and is_kind(path)]
    return folders[0] if folders else _UNKNOWN


def _refuse(request: Request) -> NoReturn:
    if not request.name:
        raise DataError("A data set's name or path is empty. Give one. Received: name=''")
    with reporting_unreadable(request.name):
        exists = request.path.exists()
    raise unreadable(request.name, request.path) if exists else unknown(request.name, NAMES)


_UNKNOWN = Source(_refuse, check=_refuse, resizes=True)
