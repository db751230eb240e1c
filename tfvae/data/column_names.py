"""Columns of counts by name: those of a file in the order of a model."""

import logging
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from tfvae.data.errors import DataError
from tfvae.data.sparse_split import SparseSplit

_log = logging.getLogger("tfvae")

_NUM_NAMED = 5


def in_order_of(split: SparseSplit, names: Sequence[str] | None, num_columns: int) -> SparseSplit:
    """Returns counts with the columns of a model, in its order. Others are left out, also of the sizes of rows.

    Columns are found by name; where a name occurs several times, in the order of its columns. If the model or the data
    have no names, the columns are taken as they are.

    Args:
        split: The counts.
        names: The names of the columns that the model was trained on, or None.
        num_columns: The number of these columns.

    Raises:
        DataError: If a column is missing or, without names, the number of columns is another one.
    """
    own = split.column_names
    if names is None or own is None:
        if split.event_shape != (num_columns,):
            raise DataError(
                f"{split.name} must have the {num_columns:,} columns of the training data, in their order, because "
                f"{'it' if own is None else 'the training data'} has no names of columns. "
                f"Received: {split.event_shape[0]:,} columns"
            )
        if names is not None:
            _log.warning(
                "%s has no names of columns. They must be those of the training data, in the same order.", split.name
            )
        return split
    if tuple(names) == own:
        return split
    places: defaultdict[str, list[int]] = defaultdict(list)
    for place in reversed(range(len(own))):
        places[own[place]].append(place)
    found = [places[name].pop() if places.get(name) else -1 for name in names]
    missing = [name for name, place in zip(names, found, strict=True) if place < 0]
    if missing:
        what = "all" if len(missing) == len(names) else f"{len(missing):,}"
        raise DataError(
            f"{split.name} lacks {what} of the {len(names):,} columns that the model was trained on: "
            f"{_few(missing)}. Expected all of them, by the same names and in any order. Received: columns named "
            f"{_few(own)}"
        )
    if len(names) < len(own):
        _log.info("%s: %d columns that the model does not have are left out.", split.name, len(own) - len(names))
    return split.with_columns(np.asarray(found))


def _few(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:_NUM_NAMED])
    return f"{shown} and {len(names) - _NUM_NAMED:,} more" if len(names) > _NUM_NAMED else shown
