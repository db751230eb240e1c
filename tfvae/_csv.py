"""CSV tables that are written incrementally."""

import csv
import os
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np

from tfvae._files import replacing


class CsvWriter:
    """Context manager like `NpzWriter` that writes a CSV file with one row per example.

    An array `[N]` becomes a column with its name. Arrays `[N, D]` or with more axes become columns `name_0`, `name_1`,
    and so on. An existing file at `path` is replaced when the new file is complete.

    Args:
        path: Path of the file. Its folder is created if needed.
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
        """Appends rows `[n, ...]` to the named arrays; every call must have the same names."""
        arrays = {name: np.asarray(part) for name, part in parts.items()}
        writer = csv.writer(self._file, lineterminator="\n")  # type: ignore[arg-type]
        if not self.shapes:
            writer.writerow([title for name, rows in arrays.items() for title in column_names(name, rows)])
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


def column_names(name: str, rows: np.ndarray) -> list[str]:
    """Returns the names of the columns for rows `[N, ...]`: the name, or with numbers."""
    return [name] if rows.ndim == 1 else [f"{name}_{i}" for i in range(int(np.prod(rows.shape[1:], dtype=int)))]
