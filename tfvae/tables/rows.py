"""Rows of a table as arrays of numbers."""

from typing import TYPE_CHECKING, Literal, NamedTuple

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


def to_rows(
    frame: "pd.DataFrame", schema: Schema, *, misfits: Literal["error", "missing"] = "error"
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the rows of a table as numbers, and which of them are observed.

    Columns are found by name, in any order. Ignored columns and columns that the schema does not have are left out.

    Args:
        frame: The table, with columns of text, as `read_table` returns them, or with types.
        schema: What its columns are.
        misfits: "error" if a value that does not fit its column, such as a category that the schema does not know, is
            an error, or "missing" if it is a missing value.

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
            values, fits, expected = _encode(column, cells)
            if misfits == "error" and not fits.all():
                raise _misfit(column, cells, fits, expected)
            observed[:, number] = np.append(fits, False)[cells.codes]  # the last entry is for -1
            rows[:, number] = np.append(np.where(fits, values, 0.0), 0.0)[cells.codes]
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


class _Encoded(NamedTuple):
    """The different values of a column as numbers.

    Attributes:
        numbers: The numbers `[K]`.
        fits: Which of the values fit the column, `[K]`.
        expected: What they should be, for the error.
    """

    numbers: np.ndarray
    fits: np.ndarray
    expected: str


def _encode(column: Column, cells: Cells) -> _Encoded:
    if column.categories:
        return _encode_categories(column, cells)
    if column.kind == "date":
        return _encode_dates(column, cells)
    numbers = cells.numbers
    if numbers is None:
        are_numbers = np.asarray([is_number(text) for text in cells.texts])
        numbers = np.asarray([float(text) if is_number(text) else np.nan for text in cells.texts])
        if not are_numbers.all():
            return _Encoded(numbers, are_numbers & _fits(column, numbers), "a number")
    if column.kind == "bounded":
        expected = f"a number from {column.low:g} to {column.high:g}"
    else:
        of_kinds = {"positive": "a number above zero", "count": "a whole number, not below zero"}
        expected = of_kinds.get(column.kind, "a finite number")
    return _Encoded(numbers, _fits(column, numbers), expected)


def _fits(column: Column, numbers: np.ndarray) -> np.ndarray:
    """Returns which numbers fit a column of numbers."""
    fits = np.abs(numbers) <= _LARGEST
    if column.kind == "positive":
        return fits & (numbers >= _SMALLEST)
    if column.kind == "count":
        return fits & (numbers >= 0) & (numbers == np.rint(numbers))
    return fits & (numbers >= column.low) & (numbers <= column.high) if column.kind == "bounded" else fits


def _encode_categories(column: Column, cells: Cells) -> _Encoded:
    places = {category: place for place, category in enumerate(column.categories)}
    texts = cells.texts
    if cells.numbers is not None and all(map(is_number, column.categories)) and not column.is_text:
        texts = number_texts(cells.numbers)
    found = np.asarray([places.get(text, -1) for text in texts], np.float64)
    return _Encoded(found, found >= 0, f"one of the {len(places)} categories that are known: {quoted(list(places))}")


def _encode_dates(column: Column, cells: Cells) -> _Encoded:
    origin = dates.origin_of(column)
    if cells.dates is not None:
        return _Encoded(dates.days_after(cells.dates, origin), np.ones(len(cells.dates), bool), "a date")
    if not cells.is_text:
        return _Encoded(np.zeros(len(cells.texts)), np.zeros(len(cells.texts), bool), "a date")
    form = column.format or dates.ISO
    values = dates.parsed(cells.texts, form)
    fits = np.ones(len(cells.texts), bool)
    if values is None:
        fits = np.asarray([dates.parsed([text], form) is not None for text in cells.texts])
        known = [text for text, is_date in zip(cells.texts, fits, strict=True) if is_date]
        values = np.full(len(fits), np.datetime64(origin, "us"))
        values[fits] = dates.parsed(known, form) if known else []
    expected = f"a date, written {'as 2024-12-31' if form == dates.ISO else form}"
    return _Encoded(dates.days_after(values, origin), fits, expected)


def _misfit(column: Column, cells: Cells, fits: np.ndarray, expected: str) -> TableError:
    """Returns the error for the first cell whose value does not fit."""
    odd = np.flatnonzero(~fits)
    row = int(np.flatnonzero(np.isin(cells.codes, odd))[0])
    value = cells.texts[cells.codes[row]] if cells.dates is None else str(cells.dates[cells.codes[row]])
    others = f" and {len(odd) - 1:,} other values" if len(odd) > 1 else ""
    return TableError(
        f"A value of the column {column.name!r} does not fit its kind {column.kind!r}. Expected {expected}. Correct "
        f"it, or leave the cell empty. Received: {quoted(value)} in row {row} (the first is 0){others}"
    )
