"""Columns of tables that have one value in all rows, or none."""

from typing import TYPE_CHECKING

import numpy as np

from tfvae.tables.column import Column

if TYPE_CHECKING:
    import pandas as pd

_WITHOUT_MISSING = tuple(map(np.dtype, "?bhilqBHILQ"))


def constant_column(column: Column, num_rows: int) -> "pd.Series":
    """Returns a column of kind "constant" with the type that it had.

    Args:
        column: The column.
        num_rows: The number of rows.
    """
    import pandas as pd

    if column.dtype.startswith("category["):
        inner = column.dtype.removeprefix("category[").removesuffix("]")
        categories = pd.Index([_value(text, inner) for text in column.categories])
        return pd.Series(pd.Categorical.from_codes([0 if column.categories else -1] * num_rows, categories))
    value = _value(column.categories[0], column.dtype) if column.categories else None
    has_no_missing_values = pd.api.types.pandas_dtype(column.dtype) in _WITHOUT_MISSING
    return pd.Series([value] * num_rows, dtype="object" if value is None and has_no_missing_values else column.dtype)


def _value(text: str, dtype: str) -> object:
    """Returns the value that a text stands for in a column of this type."""
    import pandas as pd

    known = pd.api.types.pandas_dtype(dtype)
    if pd.api.types.is_bool_dtype(known):
        return text == "True"
    if pd.api.types.is_integer_dtype(known):
        return int(text)
    if pd.api.types.is_float_dtype(known):
        return float(text)
    if isinstance(known, pd.DatetimeTZDtype):
        return pd.Timestamp(text, tz="UTC").tz_convert(known.tz)
    return pd.Timestamp(text) if known.kind == "M" else text
