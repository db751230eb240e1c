"""AnnData files (`.h5ad`): counts of cells, and what is known of each cell."""

import contextlib
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from tfvae._errors import quoted, reason
from tfvae._extras import how_to_install
from tfvae._memory import require_memory
from tfvae.data.errors import DataError
from tfvae.data.sources.counts import NOT_COUNTS, require_file, splits_of, whole_of
from tfvae.data.sources.source import Request, Source
from tfvae.data.sparse_rows import SparseRows, are_counts
from tfvae.data.sparse_split import SparseSplit
from tfvae.data.splits import Splits

if TYPE_CHECKING:
    import h5py
    import pandas as pd

_log = logging.getLogger("tfvae")

# Where counts are looked for, the first first; then in other layers.
_PLACES = ("X", "layers/counts", "raw/X")
_CHUNK = 2**20
_ROWS = 1000
_ADVICE = "Leave out genes or cells that you do not need."


def _load(request: Request) -> Splits:
    return splits_of(*_read(request), request)


def _load_whole(request: Request) -> SparseSplit:
    return whole_of(*_read(request, may_lack_label=True), request)


def _check(request: Request) -> None:
    with _opened(request) as file:
        _others(file, request, may_lack_label=True)


def _read(request: Request, *, may_lack_label: bool = False) -> tuple[SparseRows, dict[str, np.ndarray]]:
    with _opened(request) as file:
        others = _others(file, request, may_lack_label)
        place = _place_of_counts(file, request)
        return _matrix(file[place], f"{request.path} ({place})", _names(file, place)), others


@contextlib.contextmanager
def _opened(request: Request) -> "Iterator[h5py.File]":
    """Opens the file.

    Raises:
        DataError: If there is none, it is damaged or no AnnData file, or the package anndata is missing.
    """
    path = request.path
    require_file(path)
    try:
        import anndata  # noqa: F401
        import h5py
    except ModuleNotFoundError as error:
        raise DataError(how_to_install(error, f"Reading {path}", "counts")) from error
    if request.columns:
        raise DataError(
            "columns are for tables, such as .csv files. Leave them out for counts. "
            f"Received: columns={quoted(dict(request.columns))} for {path}"
        )
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise DataError(
            f"{path} is damaged, or no AnnData file. Expected a file that adata.write_h5ad(path) wrote. "
            f"Received from h5py: {reason(error)}"
        ) from error
    with file:
        if "X" not in file or "obs" not in file:
            raise DataError(
                f"{path} is no AnnData file: it lacks X or obs. Expected a file that adata.write_h5ad(path) wrote. "
                f"Received: {quoted(sorted(file))}"
            )
        try:
            yield file
        except OSError as error:
            raise DataError(f"{path} is damaged. Write it again. Received from h5py: {reason(error)}") from error


def _others(file: "h5py.File", request: Request, may_lack_label: bool) -> dict[str, np.ndarray]:
    """Returns the labels and the conditions, as classes in text or as numbers."""
    if not request.label and not request.condition:
        return {}
    from anndata.io import read_elem

    obs = read_elem(file["obs"])
    found = {}
    if request.label and not (may_lack_label and request.label not in obs):
        found["labels"] = _classes(_column(obs, request.label, "label", request))
    if request.condition:
        column = _column(obs, request.condition, "condition", request)
        if column.isna().any():
            raise DataError(
                f"{request.path} has rows without a value of the condition {quoted(request.condition)}. Leave them "
                f"out. Received: no value in row {int(np.argmax(column.isna()))} (the first is 0)"
            )
        found["conditions"] = (
            column.to_numpy(np.float32) if column.dtype.kind == "f" else _classes(column)
        )  # fmt: skip
    return found


def _column(obs: "pd.DataFrame", name: str, what: str, request: Request) -> "pd.Series":
    if name not in obs:
        raise DataError(
            f"{request.path} has no column {quoted(name)} in obs for the {what}. Received: the columns "
            f"{quoted(list(map(str, obs.columns)))}"
        )
    return obs[name]


def _classes(column: "pd.Series") -> np.ndarray:
    """Returns classes as text, empty where they are missing; whole numbers as integers."""
    if column.dtype.kind in "iu" and not (column < 0).any():
        return column.to_numpy(np.int64)
    missing = column.isna().to_numpy(bool)
    return np.where(missing, "", column.astype(object).map(str).to_numpy(str))


def _place_of_counts(file: "h5py.File", request: Request) -> str:
    """Returns where the counts are: in X or, if that is normalised, in a layer or in raw.

    Raises:
        DataError: If there are none.
    """
    layers = [f"layers/{name}" for name in file.get("layers", ())]
    places = [place for place in dict.fromkeys((*_PLACES, *layers)) if place in file]
    for place in places:
        if all(are_counts(chunk) for chunk in _values(file[place])):
            if place != "X":
                _log.warning("%s: X is not counts, so %s is used.", request.path, place)
            return place
    raise DataError(
        f"{request.path} {NOT_COUNTS}. Save the counts as adata.X, or as adata.layers['counts']; for a model of other "
        f"values, save them as a .npy file. Received: no counts in {', '.join(places)}"
    )


def _values(stored: Any) -> Iterator[np.ndarray]:
    """Yields the stored values of a matrix, some at a time."""
    if hasattr(stored, "keys"):
        data = stored["data"]
        yield from (data[start : start + _CHUNK] for start in range(0, len(data), _CHUNK))
    else:
        yield from (np.ravel(stored[start : start + _ROWS]) for start in range(0, len(stored), _ROWS))


def _names(file: "h5py.File", place: str) -> tuple[str, ...] | None:
    """Returns the names of the columns of a matrix, such as genes. Those of raw may be more than the others."""
    from anndata.io import read_elem

    var = "raw/var" if place.startswith("raw/") else "var"
    return tuple(map(str, read_elem(file[var]).index)) if var in file else None


def _matrix(stored: Any, source: str, names: tuple[str, ...] | None) -> SparseRows:
    """Reads a matrix, which is stored as rows or columns of sparse values, or dense."""
    import scipy.sparse
    from anndata.io import sparse_dataset

    if not hasattr(stored, "keys"):
        parts = [scipy.sparse.csr_matrix(stored[start : start + _ROWS]) for start in range(0, len(stored), _ROWS)]
        return SparseRows.of(scipy.sparse.vstack(parts, "csr"), names)
    found = sparse_dataset(stored)
    size = sum(int(stored[name].size) * stored[name].dtype.itemsize for name in ("data", "indices", "indptr"))
    require_memory(size if found.format == "csr" else 2 * size, f"Loading the counts in {source}", _ADVICE)
    if found.format != "csr":
        return SparseRows.of(found.to_memory(), names)
    values = np.empty(stored["data"].shape, _type_of(stored["data"].dtype))
    columns = np.empty(stored["indices"].shape, np.int32)
    if values.size:
        stored["data"].read_direct(values)  # straight into the array, without a copy
        stored["indices"].read_direct(columns)
    matrix = scipy.sparse.csr_matrix((values, columns, stored["indptr"][:]), shape=found.shape, copy=False)
    try:
        matrix.check_format(full_check=True)
    except ValueError as error:
        raise DataError(f"{source} is a damaged sparse matrix. Write it again. Received: {reason(error)}") from error
    return SparseRows.of(matrix, names)


def _type_of(dtype: np.dtype) -> np.dtype:
    """Returns the type that values are read as: numbers of 32 bits become float32 in their own memory."""
    return dtype if dtype.itemsize == 4 and dtype.kind in "iu" else np.dtype(np.float32)


H5AD = Source(load=_load, check=_check, whole=_load_whole, has_columns=True)
