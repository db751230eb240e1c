"""The cells of one column: where they are missing, and what they are as numbers and as text."""

import dataclasses
import functools
import math
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

MISSING = ("", "?", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "<NA>", "#N/A", "NaT")
"""Texts that stand for a missing value."""

_NUMBER = re.compile(r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|(?i:inf|infinity))")
_CODE = re.compile(r"0\d+")
_SAME_WIDTH = 0.9  # share of the cells of a column of codes, such as 02139, that have the same number of digits


@dataclasses.dataclass(frozen=True)
class Cells:
    """The cells of a column, as the different values and the place of each cell among them.

    Attributes:
        codes: Integers `[N]`: the place of each cell in `values`, -1 where it is missing.
        values: The different values that occur, in the order of their first cells: numbers (float64) or texts.
        dtype: The pandas type of the column.
        categories: The categories that a column of pandas' type "category" declares.
        is_ordered: Whether these categories are in order.
        dates: The different values as datetime64, if the type is one of dates.
        problem: Why the values cannot be used, such as lists in cells. Empty if they can.
    """

    codes: np.ndarray
    values: np.ndarray
    dtype: str
    categories: tuple[str, ...] | None = None
    is_ordered: bool = False
    dates: np.ndarray | None = None
    problem: str = ""

    @property
    def observed(self) -> np.ndarray:
        """Where cells are not missing, `[N]`."""
        return self.codes >= 0

    @property
    def is_text(self) -> bool:
        """Whether the cells were read as text."""
        return self.values.dtype.kind == "O"

    @functools.cached_property
    def texts(self) -> list[str]:
        """The different values as text; whole numbers are written without a point."""
        return list(self.values) if self.is_text else number_texts(self.values)

    @functools.cached_property
    def numbers(self) -> np.ndarray | None:
        """The different values as float64, or None if one of them is not a number."""
        if not self.is_text:
            return self.values
        if {*self.values} <= {"False", "True"} and self.dtype in ("bool", "boolean"):
            return np.asarray([value == "True" for value in self.values], np.float64)
        if not all(map(is_number, self.values)):
            return None
        return np.asarray([float(value) for value in self.values], np.float64)

    @functools.cached_property
    def are_codes(self) -> bool:
        """Whether the numbers are codes of one width with leading zeros, such as postal codes."""
        if not self.is_text or not any(map(_CODE.fullmatch, self.values)):
            return False
        counts = np.bincount(self.codes[self.observed], minlength=len(self.values))
        widths = np.bincount([len(value) for value in self.values], weights=counts)
        return bool(widths.max() >= _SAME_WIDTH * counts.sum())


def is_number(text: str) -> bool:
    """Whether a text is a number, with a point for decimals."""
    return _NUMBER.fullmatch(text) is not None


def number_texts(numbers: Iterable[float]) -> list[str]:
    """Returns numbers as text, whole ones without a point."""
    return [
        str(int(number)) if math.isfinite(number) and number == int(number) else repr(float(number))
        for number in numbers
    ]


def from_float32(numbers: np.ndarray, decimals: int | None = None) -> np.ndarray:
    """Returns the float64 numbers that have the fewest digits, and at most these decimals, for float32 numbers."""
    if decimals is not None and numbers.size:
        largest = np.abs(numbers).max().astype(np.float32)
        if decimals == 0 or np.spacing(largest) < 10.0**-decimals:
            return np.round(numbers.astype(np.float64), decimals)
    shortest = numbers.astype("U").astype(np.float64)
    return shortest if decimals is None else np.round(shortest, decimals)


def cells_of(series: "pd.Series", missing: Sequence[str] = ()) -> Cells:
    """Returns the cells of a pandas column.

    Args:
        series: The column.
        missing: Texts or numbers that stand for a missing value, besides `MISSING` and pandas' own.
    """
    import pandas as pd

    dtype = str(series.dtype)
    if isinstance(series.dtype, pd.CategoricalDtype):
        return _cells_of_categories(series, missing)
    try:
        codes, values = pd.factorize(series)
    except TypeError:
        odd = next(type(value).__name__ for value in series if not hasattr(value, "__hash__") or not value.__hash__)
        return Cells(np.full(len(series), -1), np.empty(0), dtype, problem=f"cells of type {odd}")
    if pd.api.types.is_datetime64_any_dtype(series.dtype):
        return Cells(codes, np.arange(float(len(values))), dtype, dates=_naive(pd.DatetimeIndex(values)))
    if pd.api.types.is_timedelta64_dtype(series.dtype) or pd.api.types.is_complex_dtype(series.dtype):
        return Cells(np.full(len(series), -1), np.empty(0), dtype, problem=f"cells of type {dtype}")
    if pd.api.types.is_numeric_dtype(series.dtype) and not pd.api.types.is_bool_dtype(series.dtype):
        return Cells(*_without_marks(codes, _float64(values), missing), dtype)
    if any(isinstance(value, bytes | bytearray) for value in values):
        return Cells(np.full(len(series), -1), np.empty(0), dtype, problem="cells of type bytes")
    return Cells(*_merged(codes, [_text(value) for value in values], missing), dtype)


def _cells_of_categories(series: "pd.Series", missing: Sequence[str]) -> Cells:
    """Returns the cells of a column of pandas' type "category"."""
    names = [_text(value) for value in series.cat.categories]
    codes, values = _merged(series.cat.codes.to_numpy().astype(np.int64), names, missing)
    marks = {*MISSING, *map(str, missing)}
    categories = tuple(dict.fromkeys(name for name in names if name not in marks))
    dtype = f"category[{series.cat.categories.dtype}]"
    return Cells(codes, values, dtype, categories=categories, is_ordered=bool(series.cat.ordered))


def _text(value: object) -> str:
    """Returns a value of a cell as text without spaces around it; whole numbers have no point."""
    if isinstance(value, float | np.floating):
        return number_texts([float(value)])[0]
    return str(value).strip()


def _merged(codes: np.ndarray, texts: list[str], missing: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Returns codes and texts without missing marks, each text once."""
    marks = {*MISSING, *map(str, missing)}
    marked_numbers = {float(mark) for mark in map(str, missing) if is_number(mark)}
    places: dict[str, int] = {}
    new = np.full(len(texts) + 1, -1)  # its last entry is for -1
    for number, text in enumerate(texts):
        if text in marks or (marked_numbers and is_number(text) and float(text) in marked_numbers):
            continue
        new[number] = places.setdefault(text, len(places))
    return new[codes], np.asarray([*places], object)


def _without_marks(codes: np.ndarray, numbers: np.ndarray, missing: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Returns codes and numbers without those that stand for a missing value."""
    marked = [float(mark) for mark in map(str, missing) if is_number(mark)]
    keep = ~(np.isin(numbers, marked) | np.isnan(numbers))
    new = np.append(np.where(keep, np.cumsum(keep) - 1, -1), -1)
    return new[codes], numbers[keep]


def _float64(values: "np.ndarray | pd.Index") -> np.ndarray:
    """Returns numbers as float64. Those of a shorter type get the fewest decimals that give them."""
    array = np.asarray(values)
    return from_float32(array) if array.dtype in (np.float16, np.float32) else array.astype(np.float64)


def _naive(dates: "pd.DatetimeIndex") -> np.ndarray:
    """Returns dates as datetime64, in UTC if they have a time zone."""
    return (dates if dates.tz is None else dates.tz_convert("UTC").tz_localize(None)).to_numpy("datetime64[us]")
