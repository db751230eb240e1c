"""Sparse counts: what files of them have in common, and the splits of them."""

import logging
from pathlib import Path

import numpy as np

from tfvae.data.classes import class_numbers
from tfvae.data.conditions import Conditions, clean_conditions
from tfvae.data.cutting import ALL, cut_off, require_enough
from tfvae.data.errors import DataError
from tfvae.data.sources.source import Request
from tfvae.data.sparse_rows import SparseRows
from tfvae.data.sparse_split import SparseSplit
from tfvae.data.splits import Splits

_log = logging.getLogger("tfvae")

_Parts = dict[str, dict[str, np.ndarray]]

_MOST_COLUMNS = 1_000_000

NOT_COUNTS = (
    "has values that are not counts. Expected whole numbers from 0, as they are measured, before any normalisation or "
    "logarithm"
)


def splits_of(matrix: SparseRows, others: dict[str, np.ndarray], request: Request) -> Splits:
    """Makes splits of counts, shuffled and cut 80/10/10.

    Args:
        matrix: The counts.
        others: What is known of each row: "labels" and "conditions", as numbers or text.
        request: The request.

    Raises:
        DataError: If there are too few rows.
    """
    path = request.path
    _require_columns(matrix, path)
    require_enough(matrix.num_rows, "rows", ALL, path)
    parts = _parts(matrix, others)
    cut_off(parts, ALL, request.seed, path)
    return Splits(name_of(path), **_splits(matrix, parts, path))


def whole_of(matrix: SparseRows, others: dict[str, np.ndarray], request: Request) -> SparseSplit:
    """Makes one split of all rows, in their own order."""
    _require_columns(matrix, request.path)
    return _splits(matrix, _parts(matrix, others), request.path)["train"]


def _require_columns(matrix: SparseRows, path: Path) -> None:
    if matrix.num_columns > _MOST_COLUMNS:
        raise DataError(
            f"{path} has too many columns for batches that are dense. Expected at most {_MOST_COLUMNS:,}. Leave some "
            f"out, such as those with few counts. Received: shape ({matrix.num_rows:,}, {matrix.num_columns:,})"
        )


def _parts(matrix: SparseRows, others: dict[str, np.ndarray]) -> _Parts:
    rows = np.arange(matrix.num_rows)
    return {"data": {"train": rows}, **{name: {"train": values} for name, values in others.items()}}


def _splits(matrix: SparseRows, parts: _Parts, path: Path) -> dict[str, SparseSplit]:
    labels, class_names = class_numbers(parts.get("labels", {}))
    conditions = clean_conditions(parts["conditions"], str(path)) if "conditions" in parts else Conditions({})
    empty = int(np.sum(np.diff(matrix.ends) == 0))
    if empty:
        _log.warning("%s: rows without any count: %d. Leave them out.", path, empty)
    return {
        key: SparseSplit(
            matrix,
            rows,
            f"{name_of(path)}/{key}",
            labels.get(key),
            class_names,
            conditions.values.get(key),
            conditions.names,
        )
        for key, rows in parts["data"].items()
    }


def name_of(path: Path) -> str:
    """Returns the name of a file without the suffixes of its format."""
    path = path.resolve()
    return Path(path.stem).stem if path.suffix == ".gz" else path.stem


def require_file(path: Path) -> None:
    """Raises DataError if there is no file."""
    if not path.is_file():
        raise DataError(f"There is no file {path}. Give the path of a file of counts. Received: {str(path)!r}")
