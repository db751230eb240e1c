"""What `load` asks of a source of data."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tfvae._targets import expanded
from tfvae.data.errors import DataError
from tfvae.data.shard_sources import ShardSource
from tfvae.data.sparse_split import SparseSplit
from tfvae.data.split import Split
from tfvae.data.splits import Splits


@dataclasses.dataclass(frozen=True)
class Request:
    """The data to load, and how.

    Attributes:
        name: The name or path as the user gave it.
        folder: The folder to look in, or None for the folder that is the default of the source.
        seed: The seed of the cuts of data without splits of their own.
        condition: The name of an array or a column of conditions, or None.
        missing: "nan", the name of the array of observed values, a text that stands for a missing value in a table, or
            None.
        image_size: The height and width that images are resized to, or None.
        label: The name of the column of labels, or None.
        columns: What is known of columns of a table, by name, or None: see `tfvae.tables.choosing.schema_of`.
        id: The name of the column that identifies the rows of a table, or None.
        weight: The name of the column of weights of the rows of a table, or None.
        misfits: Whether values of a table that do not fit its columns are an "error" or "missing" values.
    """

    name: str
    folder: Path | None = None
    seed: int = 0
    condition: str | None = None
    missing: str | None = None
    image_size: tuple[int, int] | None = None
    label: str | None = None
    columns: Mapping[str, Any] | None = None
    id: str | None = None
    weight: str | None = None
    misfits: Literal["error", "missing"] = "error"

    @property
    def path(self) -> Path:
        """The name as a path.

        Raises:
            DataError: If it cannot be one.
        """
        path = expanded(self.name, kind=DataError)
        return path if self.folder is None else self.folder / path


def _nothing(request: Request) -> None:
    """Does nothing."""


@dataclasses.dataclass(frozen=True)
class Source:
    """One kind of data: functions of a `Request`. Each raises DataError if it cannot use the data.

    Attributes:
        load: Returns the splits; data without splits of their own are cut with the seed.
        check: Raises the errors of `load` that can be found without TensorFlow and without reading all data.
        whole: Returns all examples in their own order; None if the data have splits of their own.
        on_disk: Returns the one array of a file without reading its values, for data larger than memory; None for other
            contents.
        stream: Returns the splits as sources of shards, which read the data piece by piece, with a folder for temporary
            files; None if all data are read at once.
        has_nan: Whether NaN can stand for a missing value.
        has_arrays: Whether there are arrays with names, for conditions and missing values.
        resizes: Whether there are images that can be resized.
        has_columns: Whether there are columns with names, for labels, conditions and missing values.
        has_conditions: Whether conditions are stored, also those that are labels.
    """

    load: Callable[[Request], Splits]
    check: Callable[[Request], None] = _nothing
    whole: Callable[[Request], Split | SparseSplit | None] = _nothing
    on_disk: Callable[[Request], np.ndarray | None] | None = None
    stream: Callable[[Request, Path], dict[str, ShardSource]] | None = None
    has_nan: bool = False
    has_arrays: bool = False
    resizes: bool = False
    has_columns: bool = False
    has_conditions: bool = False
