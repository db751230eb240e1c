"""A table of text that says what is known of columns."""

import datetime
from collections.abc import Sequence

from tfvae._errors import shortened
from tfvae.tables.column import Column

_TITLES = ("column", "kind", "values", "missing", "reason")
_MAX_NAME = 30
_MAX_VALUES = 40


def described(columns: Sequence[Column]) -> str:
    """Returns a table with one line a column: name, kind, values, share of missing values, and the reason."""
    lines = [_TITLES, *(_line(column) for column in columns)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(_TITLES))]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def _line(column: Column) -> tuple[str, ...]:
    missing = f"{column.missing_share:.1%}" if column.missing_share else "-"
    return (_cut(column.name, _MAX_NAME), column.kind, _cut(_values(column), _MAX_VALUES), missing, column.reason)


def _values(column: Column) -> str:
    if column.kind == "constant":
        return ", ".join(column.categories)
    if column.categories:
        return f"{len(column.categories)}: {', '.join(column.categories)}"
    if column.low is None or column.high is None:
        return ""
    if column.kind == "date" and column.origin is not None:
        return f"{_date(column.origin, column.low)} to {_date(column.origin, column.high)}"
    return f"{_number(column.low)} to {_number(column.high)}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.6g}"


def _date(origin: str, days: float) -> str:
    return str((datetime.datetime.fromisoformat(origin) + datetime.timedelta(days=days)).date())


def _cut(text: str, length: int) -> str:
    text = shortened(text)
    return text if len(text) <= length else f"{text[: length - 3]}..."
