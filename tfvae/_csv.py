"""Tables as CSV, written as their rows are made."""

import csv
import os
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np

from tfvae._files import replacing


class CsvWriter:
    """A context manager like `NpzWriter`, for spreadsheets: a row an example, a column a number.

    An array `[N]` is a column of its name; `[N, D]` and arrays of more axes are `name_0`, `name_1`, ... in order.
    Whatever stands at `path` stays until the new file is complete.

    Args:
        path: the file; its folder is made where there is none.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path = Path(path)
        self.shapes: dict[str, tuple[int, ...]] = {}
        self._replacing: Any = None
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._replacing = replacing(self.path)
        self._file = self._replacing.__enter__().open("w", newline="")
        return self

    def add(self, **parts: Any) -> None:
        """Appends rows `[n, ...]` of the arrays of these names, the same ones in every call."""
        arrays = {name: np.asarray(part) for name, part in parts.items()}
        writer = csv.writer(self._file, lineterminator="\n")  # type: ignore[arg-type]
        if not self.shapes:
            writer.writerow([title for name, rows in arrays.items() for title in _titles(name, rows)])
        columns = [column for rows in arrays.values() for column in rows.reshape(len(rows), -1).T]
        writer.writerows(zip(*(column.tolist() for column in columns), strict=True))
        for name, rows in arrays.items():
            before = self.shapes.get(name, (0,))[0]
            self.shapes[name] = (before + len(rows), *rows.shape[1:])

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
        self._replacing.__exit__(kind, error, trace)


def _titles(name: str, rows: np.ndarray) -> list[str]:
    return [name] if rows.ndim == 1 else [f"{name}_{i}" for i in range(int(np.prod(rows.shape[1:], dtype=int)))]
