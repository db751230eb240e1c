"""Arrays of numbers as rows of a table."""

from typing import TYPE_CHECKING

import numpy as np

from tfvae.tables import dates
from tfvae.tables.cells import from_float32, is_number
from tfvae.tables.column import Column
from tfvae.tables.constants import constant_column
from tfvae.tables.errors import TableError
from tfvae.tables.schema import Schema

if TYPE_CHECKING:
    import pandas as pd


def to_frame(rows: np.ndarray, schema: Schema, observed: np.ndarray | None = None) -> "pd.DataFrame":
    """Returns rows of numbers as a table with the names, types, categories and decimals of the schema.

    Constant columns have their value, and ignored ones are left out. Counts are rounded and not below zero, and numbers
    of "bounded" columns are moved within their limits, so that means and samples of a model are values that the table
    may have.

    Args:
        rows: Numbers `[N, D]`, one for each column in `schema.used`.
        schema: What the columns are.
        observed: Boolean `[N, D]`, False where a value is missing, or None. NaN is also a missing value.

    Raises:
        TableError: If the arrays do not have one column for each in `schema.used`, or a value is no category.
    """
    import pandas as pd

    rows = np.asarray(rows)
    if rows.ndim != 2 or rows.shape[1] != len(schema.used):
        raise TableError(
            f"Rows must have one number for each of {len(schema.used)} columns. Expected: shape "
            f"(N, {len(schema.used)}). Received: shape {rows.shape}"
        )
    known = ~np.isnan(rows)
    if observed is not None and np.shape(observed) != rows.shape:
        raise TableError(
            f"`observed` must have the shape of the rows, {rows.shape}. Received: shape {np.shape(observed)}"
        )
    if observed is not None:
        known &= np.asarray(observed, bool)
    places = {column.name: place for place, column in enumerate(schema.used)}
    columns = {
        column.name: _decode(column, rows[:, places[column.name]], known[:, places[column.name]])
        if column.is_used
        else constant_column(column, len(rows))
        for column in schema
        if column.is_used or column.kind == "constant"
    }
    return pd.DataFrame(columns, index=pd.RangeIndex(len(rows)))


def within_range(rows: np.ndarray, schema: Schema) -> np.ndarray:
    """Returns sampled rows `[N, D]` whose numbers are within the range of the table from which the schema was inferred.

    A model has a small probability of numbers beyond it.
    """
    low, high = (
        np.array(
            [limit if getattr(column, end) is None else getattr(column, end) for column in schema.used], np.float32
        )
        for end, limit in (("low", -np.inf), ("high", np.inf))
    )
    return np.clip(rows, low, high)


def _decode(column: Column, values: np.ndarray, known: np.ndarray) -> "pd.Series":
    """Returns the numbers of a column as a pandas column."""
    if column.categories:
        return _decode_categories(column, values, known)
    values = np.where(known, values, column.low or 0.0)
    if column.kind == "date":
        return _decode_dates(column, values, known)
    if column.kind == "bounded":
        values = np.clip(values, column.low, column.high)
    numbers = from_float32(values.astype(np.float32), 0 if column.kind == "count" else column.decimals)
    if column.kind in ("count", "positive"):
        numbers = np.maximum(numbers, 0.0 if column.kind == "count" else _smallest(column))
    return _typed(column, numbers, known)


def _smallest(column: Column) -> float:
    """Returns the smallest positive number that is written with the decimals of a column."""
    return float(np.finfo(np.float32).tiny) if column.decimals is None else 10.0**-column.decimals


def _typed(column: Column, numbers: np.ndarray, known: np.ndarray) -> "pd.Series":
    """Returns numbers with the type of the column, or a type that can have missing values."""
    import pandas as pd

    dtype = pd.api.types.pandas_dtype(column.dtype if column.dtype not in ("object", "str", "string") else "float64")
    has_na = not known.all()
    if pd.api.types.is_integer_dtype(dtype):
        if has_na and isinstance(dtype, np.dtype):
            dtype = pd.api.types.pandas_dtype(dtype.name.replace("int", "Int").replace("u", "U"))
        limits = np.iinfo(dtype if isinstance(dtype, np.dtype) else dtype.numpy_dtype)
        largest = float(limits.max)  # which may be rounded up
        largest = largest if int(largest) <= limits.max else float(np.nextafter(largest, 0))
        numbers = np.clip(np.rint(numbers), limits.min, largest)
        series = pd.Series(numbers.astype(limits.dtype)).astype(dtype)
    else:
        series = pd.Series(numbers).astype(dtype)
    return series.mask(~known) if has_na else series


def _decode_dates(column: Column, values: np.ndarray, known: np.ndarray) -> "pd.Series":
    import pandas as pd

    found = pd.Series(dates.dates_after(values, dates.origin_of(column), whole_days=column.decimals == 0))
    if column.format is not None:
        return _dates_as_text(found, column.format, whole_days=column.decimals == 0).where(known)
    if not column.dtype.startswith("datetime64"):
        return found.where(known)
    dtype = pd.api.types.pandas_dtype(column.dtype)
    if isinstance(dtype, pd.DatetimeTZDtype):
        found = found.dt.tz_localize("UTC")
    return found.astype(dtype).where(known)


def _dates_as_text(found: "pd.Series", form: str, *, whole_days: bool) -> "pd.Series":
    if form == dates.ISO:
        return found.dt.strftime("%Y-%m-%d" if whole_days else "%Y-%m-%d %H:%M:%S")
    return found.dt.strftime(form)


def _decode_categories(column: Column, values: np.ndarray, known: np.ndarray) -> "pd.Series":
    import pandas as pd

    codes = np.where(known, values, 0).astype(np.float64)
    fits = (codes == np.rint(codes)) & (codes >= 0) & (codes < len(column.categories))
    if not fits.all():
        raise TableError(
            f"The numbers of the column {column.name!r} must be the places of its categories, from 0 to "
            f"{len(column.categories) - 1}. Received: {codes[~fits][0]:g} in row {int(np.flatnonzero(~fits)[0])}"
        )
    codes = codes.astype(np.int64)
    if column.dtype.startswith("category["):
        dtype = column.dtype.removeprefix("category[").removesuffix("]")
        names = pd.Index([name == "True" for name in column.categories] if dtype == "bool" else column.categories)
        names = names.astype(dtype)
        categories = pd.Categorical.from_codes(np.where(known, codes, -1), names, ordered=column.kind == "ordinal")
        return pd.Series(categories)
    names = np.asarray(column.categories, object)
    if column.dtype in ("bool", "boolean") and set(column.categories) == {"False", "True"}:
        truth = pd.Series((names == "True")[codes], dtype="bool" if known.all() else "boolean").mask(~known)
        return truth.astype("boolean") if column.dtype == "boolean" else truth
    if not column.is_text and all(map(is_number, column.categories)):
        return _typed(column, np.asarray(column.categories, np.float64)[codes], known)
    texts = pd.Series(list(names[codes]), dtype=None if len(codes) else "object")
    texts = texts.astype("string") if column.dtype == "string" else texts
    return texts.where(known)
