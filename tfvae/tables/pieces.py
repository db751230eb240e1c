"""Tables in files, a few columns or a few rows at a time."""

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfvae._data_names import TEXT_SUFFIXES, suffix_of
from tfvae._errors import reading
from tfvae.tables.errors import TableError
from tfvae.tables.reading import (
    encodings_of,
    read_table,
    require_table,
    text_form,
    text_options,
    with_package,
)
from tfvae.tables.text_form import with_decimal_points

if TYPE_CHECKING:
    import pandas as pd

# Measured: bytes of memory that a byte of a file takes at most while it is read. Compressed text grows by more.
_GROWTH, _GROWTH_COMPRESSED = 7, 28


class TableInPieces:
    """A table in a file that may be larger than memory, as `read_table` reads it.

    Files of text and `.parquet` files are read in pieces; a `.feather` file is read whole.

    Args:
        path: The file.
        missing: As for `read_table`.

    Attributes:
        names: The names of the columns.
        notes: What users should know.

    Raises:
        TableError: If the file does not exist or cannot be read.
    """

    def __init__(self, path: Path, missing: Sequence[str] = ()):
        require_table(path)
        self.path, self.missing = path, [str(mark) for mark in missing]
        self.notes: list[str] = []
        self._suffix = suffix_of(path)
        self._encoding: str | None = None
        self._with_commas: set[str] = set()
        if self._suffix in TEXT_SUFFIXES:
            self._form = text_form(path, None, self.notes)
        elif self._suffix == ".feather":
            self._frame = read_table(path)
        with self._reporting():
            self.names = [str(name).strip() for name in self._head().columns]

    @property
    def num_bytes(self) -> int:
        """About the memory that reading the whole table takes."""
        return loading_bytes(self.path)

    def columns(self, names: Sequence[str]) -> "pd.DataFrame":
        """Returns all rows of some columns."""
        if self._suffix == ".feather":
            return self._frame[list(names)]
        if self._suffix == ".parquet":
            with self._reporting():
                return _with_index(self._parquet().read(columns=list(names), use_pandas_metadata=True).to_pandas())[
                    list(names)
                ]
        places = sorted(self.names.index(name) for name in names)
        frame = self._text(usecols=places)
        frame.columns = [self.names[place] for place in places]
        if self._form.separator != ",":
            found = {name for name in frame if frame[name].str.contains(",", regex=False, na=False).any()}
            self._with_commas |= {name for name in found if self._convert(frame, name)}
        return frame

    def rows(self, size: int) -> "Iterator[pd.DataFrame]":
        """Yields all columns of `size` rows at a time. Numbers with decimal commas are known from `columns`."""
        if self._suffix == ".feather":
            yield from (self._frame.iloc[start : start + size] for start in range(0, len(self._frame), size))
        elif self._suffix == ".parquet":
            import pyarrow  # type: ignore[import-untyped]

            with self._reporting():
                for batch in self._parquet().iter_batches(batch_size=size):
                    yield _with_index(pyarrow.Table.from_batches([batch]).to_pandas())
        else:
            with self._reporting(), self._text(chunksize=size) as chunks:
                for frame in chunks:
                    frame.columns = self.names
                    for name in self._with_commas:
                        self._convert(frame, name)
                    yield frame

    def _convert(self, frame: "pd.DataFrame", name: str) -> bool:
        """Gives numbers with decimal commas points; returns whether all values of a column are such numbers."""
        column = frame[name]
        values = column.dropna().unique()
        points = with_decimal_points(list(values), self.missing)
        if points is None:
            return False
        frame[name] = column.map(dict(zip(values, points, strict=True)))
        return True

    def _head(self) -> "pd.DataFrame":
        if self._suffix == ".feather":
            return self._frame
        if self._suffix == ".parquet":
            return _with_index(self._parquet().schema_arrow.empty_table().to_pandas())
        return self._text(nrows=0)

    def _parquet(self) -> Any:
        import pyarrow.parquet  # type: ignore[import-untyped]

        return pyarrow.parquet.ParquetFile(self.path)

    def _text(self, **options: Any) -> Any:
        """Reads text in the first encoding that fits, which is known after all rows were read once."""
        import pandas as pd

        found = [self._encoding] if self._encoding is not None else encodings_of(self.path)
        for encoding in found:
            with contextlib.suppress(UnicodeDecodeError), warnings.catch_warnings():
                warnings.simplefilter("error", pd.errors.ParserWarning)
                read = pd.read_csv(self.path, encoding=encoding, **{**text_options(self._form), **options})
                if "usecols" in options:
                    self._encoding = encoding
                return read
        raise TableError(f"{self.path} cannot be read as text. Save it as UTF-8. Received: an unknown encoding")

    @contextlib.contextmanager
    def _reporting(self) -> Iterator[None]:
        try:
            with reading(self.path, "Expected a table that pandas can read.", kind=TableError):
                yield
        except TableError as error:
            raise with_package(error, self.path) from error.__cause__


def loading_bytes(path: Path) -> int:
    """Returns about the memory that reading a whole table takes."""
    is_compressed = path.suffix.lower() not in TEXT_SUFFIXES
    return path.stat().st_size * (_GROWTH_COMPRESSED if is_compressed else _GROWTH)


def _with_index(frame: "pd.DataFrame") -> "pd.DataFrame":
    """Makes an index with a name a column, as `read_table` does."""
    return frame.reset_index() if any(name is not None for name in frame.index.names) else frame
