"""Counts in a sparse matrix of `scipy.sparse.save_npz`, or in a Matrix Market file."""

import gzip
import logging
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from tfvae._errors import reading, reason
from tfvae._memory import require_memory
from tfvae.data.errors import DataError
from tfvae.data.sources.array_file import ArrayFile
from tfvae.data.sources.counts import NOT_COUNTS, require_file, splits_of, whole_of
from tfvae.data.sources.source import Request, Source
from tfvae.data.sources.sparse_files import load_sparse_matrix
from tfvae.data.sparse_rows import SparseRows, are_counts
from tfvae.data.sparse_split import SparseSplit
from tfvae.data.splits import Splits

_log = logging.getLogger("tfvae")

_MATRICES = ("matrix.mtx", "matrix.mtx.gz")
_OF_COLUMNS = ("barcodes.tsv", "barcodes.tsv.gz")
_OF_ROWS = ("features.tsv", "features.tsv.gz", "genes.tsv", "genes.tsv.gz")


def has_sparse_counts(path: Path) -> bool:
    """Whether a path is an `.npz` file with a sparse matrix of counts, other than zeros and ones."""
    if path.suffix != ".npz" or not os.path.isfile(path):  # also of a path that is too long
        return False
    try:
        file = ArrayFile(path)
    except DataError:
        return False  # which the source of `.npz` files reports
    if not file.is_sparse:
        return False
    values = _data_of(path)
    return are_counts(values) and values.dtype.kind != "b" and values.size > 0 and values.max() > 1


def _data_of(path: Path) -> np.ndarray:
    with zipfile.ZipFile(path) as archive:
        require_memory(archive.getinfo("data.npy").file_size, f"Reading {path}", "Save a part of the rows.")
    with reading(path, "Save it again with scipy.sparse.save_npz.", kind=DataError):
        return np.load(path, allow_pickle=False)["data"]


def is_matrix_market(path: Path) -> bool:
    """Whether a path is that of a Matrix Market file."""
    return path.name.lower().endswith((".mtx", ".mtx.gz"))


def has_matrix_market(path: Path) -> bool:
    """Whether a path is a folder with a Matrix Market file `matrix.mtx`, as programs of 10x Genomics write."""
    return path.is_dir() and _first(path, _MATRICES) is not None


def _load(request: Request) -> Splits:
    return splits_of(_read(request), {}, request)


def _load_whole(request: Request) -> SparseSplit:
    return whole_of(_read(request), {}, request)


def _check(request: Request) -> None:
    require_file(_file(request))


def _file(request: Request) -> Path:
    path = request.path
    return _first(path, _MATRICES) or path if path.is_dir() else path


def _read(request: Request) -> SparseRows:
    path = _file(request)
    require_file(path)
    matrix, names = _read_matrix_market(path) if is_matrix_market(path) else (load_sparse_matrix(path), None)
    if not are_counts(matrix.data):
        raise DataError(f"{path} {NOT_COUNTS}. For a model of other values, save them as a dense .npy file.")
    return SparseRows.of(matrix, names)


def _read_matrix_market(path: Path) -> tuple[Any, tuple[str, ...] | None]:
    """Reads a matrix whose rows are examples, or columns if there are files of names that say so; and these names."""
    import scipy.io

    try:
        matrix = scipy.io.mmread(path)
    except (ValueError, OSError, EOFError) as error:
        raise DataError(
            f"{path} cannot be read. Expected a Matrix Market file, as scipy.io.mmwrite writes it. "
            f"Received from SciPy: {reason(error)}"
        ) from error
    if isinstance(matrix, np.ndarray):
        import scipy.sparse

        matrix = scipy.sparse.csr_matrix(matrix)
    if matrix.data.dtype.kind == "c":
        raise DataError(f"{path} {NOT_COUNTS}. Received: complex numbers")
    features, barcodes = _first(path.parent, _OF_ROWS), _first(path.parent, _OF_COLUMNS)
    names = _first_fields(features) if features else ()
    if features and barcodes and matrix.shape == (len(names), len(_first_fields(barcodes))):
        _log.info("%s: examples are its %d columns, as %s says.", path, matrix.shape[1], barcodes.name)
        return matrix.T, names
    return matrix, names if len(names) == matrix.shape[1] else None


def _first(folder: Path, names: tuple[str, ...]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _first_fields(path: Path) -> tuple[str, ...]:
    """Returns the first field of each line of a file of names: of features, what identifies them."""
    with (
        reading(path, "Expected a name in each line, in UTF-8.", kind=DataError),
        gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file,
    ):
        return tuple(line.split("\t")[0].strip() for line in file if line.strip())


MATRIX = Source(load=_load, check=_check, whole=_load_whole)
