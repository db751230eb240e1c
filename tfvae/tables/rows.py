"""Rows of a table as arrays of numbers."""

from typing import TYPE_CHECKING

import numpy as np

from tfvae._errors import quoted
from tfvae.tables import dates
from tfvae.tables.cells import Cells, cells_of, is_number, number_texts
from tfvae.tables.column import Column
from tfvae.tables.errors import TableError
from tfvae.tables.schema import Schema

if TYPE_CHECKING:
    import pandas as pd

_LARGEST = float(np.finfo(np.float32).max)
_SMALLEST = float(np.finfo(np.float32).tiny)


def to_rows(frame: "pd.DataFrame", schema: Schema) -> tuple[np.ndarray, np.ndarray]:
    """Returns the rows of a table as numbers, and which of them are observed.

    Columns are found by name, in any order. Ignored columns and columns that the schema does not have are left out.

    Args:
        frame: The table, with columns of text, as `read_table` returns them, or with types.
        schema: What its columns are.

    Returns:
        The numbers `[N, D]`, float32, one for each column in `schema.used`, with zeros in the place of missing values;
        and a boolean array of the same shape, False at missing values.

    Raises:
        TableError: If a column is missing, or a value does not fit its column.
    """
    places: dict[str, list[int]] = {}
    for place, name in enumerate(map(str, frame.columns)):
        places.setdefault(name, []).append(place)
    _require_columns(places, schema)
    rows = np.zeros((len(frame), len(schema.used)), np.float32)
    observed = np.zeros(rows.shape, bool)
    for number, column in enumerate(schema.used):
        cells = cells_of(frame.iloc[:, places[column.name][0]], schema.missing)
        if cells.problem:
            raise TableError(
                f"The column {column.name!r} cannot be read. Expected one number, text or date in a cell. Received: "
                f"{cells.problem}"
            )
        observed[:, number] = cells.observed
        if cells.observed.any():
            values = np.append(_encode(column, cells), 0.0)  # its last entry is for -1
            rows[:, number] = values[cells.codes]
    return rows, observed


def _require_columns(places: dict[str, list[int]], schema: Schema) -> None:
    absent = [column.name for column in schema.used if column.name not in places]
    if absent:
        raise TableError(
            f"The table lacks {len(absent)} of {len(schema.used)} columns: {quoted(absent)}. Add them; their cells may "
            f"be empty. Received: the columns {quoted(list(places))}"
        )
    twice = next((column.name for column in schema.used if len(places[column.name]) > 1), None)
    if twice is not None:
        raise TableError(f"The columns of a table must have different names. Received: {twice!r} more than once")


def _encode(column: Column, cells: Cells) -> np.ndarray:
    """Returns the different values of a column as numbers `[K]`."""
    if column.categories:
        return _encode_categories(column, cells)
    if column.kind == "date":
        return _encode_dates(column, cells)
    numbers = cells.numbers
    if numbers is None:
        raise _misfit(column, cells, [is_number(text) for text in cells.texts], "a number")
    fits = np.abs(numbers) <= _LARGEST
    expected = "a finite number"
    if column.kind == "positive":
        fits, expected = fits & (numbers >= _SMALLEST), "a number above zero"
    elif column.kind == "count":
        fits, expected = fits & (numbers >= 0) & (numbers == np.rint(numbers)), "a whole number, not below zero"
    elif column.kind == "bounded":
        fits = fits & (numbers >= column.low) & (numbers <= column.high)
        expected = f"a number from {column.low:g} to {column.high:g}"
    if not fits.all():
        raise _misfit(column, cells, fits, expected)
    return numbers


def _encode_categories(column: Column, cells: Cells) -> np.ndarray:
    places = {category: place for place, category in enumerate(column.categories)}
    texts = cells.texts
    if cells.numbers is not None and all(map(is_number, column.categories)) and not column.is_text:
        texts = number_texts(cells.numbers)
    found = [places.get(text, -1) for text in texts]
    if -1 in found:
        expected = f"one of the {len(places)} categories that are known: {quoted(list(places))}"
        raise _misfit(column, cells, [place >= 0 for place in found], expected)
    return np.asarray(found, np.float64)


def _encode_dates(column: Column, cells: Cells) -> np.ndarray:
    origin = dates.origin_of(column)
    if cells.dates is not None:
        return dates.days_after(cells.dates, origin)
    if not cells.is_text:
        raise _misfit(column, cells, [False] * len(cells.texts), "a date")
    form = column.format or dates.ISO
    values = dates.parsed(cells.texts, form)
    if values is None:
        fits = [dates.parsed([text], form) is not None for text in cells.texts]
        raise _misfit(column, cells, fits, f"a date, written {'as 2024-12-31' if form == dates.ISO else form}")
    return dates.days_after(values, origin)


def _misfit(column: Column, cells: Cells, fits: "list[bool] | np.ndarray", expected: str) -> TableError:
    """Returns the error for the first cell whose value does not fit."""
    odd = np.flatnonzero(~np.asarray(fits))
    row = int(np.flatnonzero(np.isin(cells.codes, odd))[0])
    value = cells.texts[cells.codes[row]] if cells.dates is None else str(cells.dates[cells.codes[row]])
    others = f" and {len(odd) - 1:,} other values" if len(odd) > 1 else ""
    return TableError(
        f"A value of the column {column.name!r} does not fit its kind {column.kind!r}. Expected {expected}. Correct "
        f"it, or leave the cell empty. Received: {quoted(value)} in row {row} (the first is 0){others}"
    )
