"""Dates as text, and as days after a first day."""

from collections.abc import Sequence

import numpy as np

from tfvae.tables.cells import is_number
from tfvae.tables.column import Column
from tfvae.tables.errors import TableError

ISO = "ISO8601"
_DAYS = ("%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%Y/%m/%d", "%d-%m-%Y", "%m/%d/%y", "%d/%m/%y", "%d.%m.%y")
_WORDS = ("%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y")
_TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
_DAY = np.timedelta64(86_400_000_000, "us")
_SHORTEST = len("1/1/20")


def format_of(texts: Sequence[str]) -> str | None:
    """Returns the format that all of these texts have as dates, for `strptime` or "ISO8601"; None if there is none.

    Where the days and months of all dates fit both orders, the month is first.
    """
    if not texts or min(map(len, texts)) < _SHORTEST or all(map(is_number, texts)):
        return None
    if not all(any(character.isdigit() for character in text) for text in texts):
        return None
    candidates = [day + time for day in (*_DAYS, *_WORDS) for time in _TIMES]
    candidates = [ISO, *(form for form in candidates if parsed(texts[:1], form) is not None)]
    return next((form for form in candidates if parsed(texts, form) is not None), None)


def parsed(texts: Sequence[str], form: str) -> np.ndarray | None:
    """Returns texts as datetime64, in UTC if they have a time zone; None if one of them is not a date of this form."""
    import pandas as pd

    if form == ISO and not all(any(character.isdigit() for character in text) for text in texts):
        return None  # pandas takes "today" and "now" for dates
    try:
        dates = pd.to_datetime(list(texts), format=form, utc=form == ISO)
    except ValueError:
        return None
    return np.asarray((dates.tz_localize(None) if dates.tz is not None else dates).to_numpy("datetime64[us]"))


def days_after(dates: np.ndarray, origin: str) -> np.ndarray:
    """Returns dates as days after the origin, float64."""
    return (dates - np.datetime64(origin, "us")) / _DAY


def dates_after(days: np.ndarray, origin: str, *, whole_days: bool) -> np.ndarray:
    """Returns the dates that are this number of days after the origin, as datetime64, to the day or to the second."""
    unit = 86_400 if whole_days else 1
    seconds = np.rint(np.asarray(days, np.float64) * (86_400 / unit)).astype(np.int64) * unit
    return np.datetime64(origin, "us") + (seconds * 1_000_000).astype("timedelta64[us]")


def origin_of(column: Column) -> str:
    """Returns the first day of a date column."""
    if column.origin is None:
        raise TableError(f"A date column needs an origin, such as '2020-01-01'. Received: {column.name!r} without one")
    return column.origin
