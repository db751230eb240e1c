"""The schema of a table, found from its values."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from tfvae._errors import quoted
from tfvae.tables.building import build, require_finite
from tfvae.tables.cells import cells_of
from tfvae.tables.column import KINDS, Column, Kind
from tfvae.tables.decisions import decide
from tfvae.tables.errors import TableError
from tfvae.tables.schema import Schema

if TYPE_CHECKING:
    import pandas as pd


def infer(
    frame: "pd.DataFrame",
    *,
    missing: Sequence[str] = (),
    label: str | None = None,
    kinds: Mapping[str, Kind | Sequence[str]] | None = None,
) -> Schema:
    """Finds out what the columns of a table are.

    Every column of the schema has a `reason`; `print(schema.describe())` shows them. The rules, in this order:

    - A column with a single value, or without values, is "constant".
    - A column of identifiers is ignored. Identifiers are texts that are all different, whole numbers that number the
      rows, and nearly all different values under a name such as "user_id".
    - 0 and 1, yes and no, true and false are "boolean"; dates are "date".
    - Text is a "category" if its values occur 3 times on average (twice, if there are at most 20), and otherwise
      ignored. Codes of one length with leading zeros, such as 02139, are text.
    - Whole numbers that occur 3 times on average are "ordinal" if at most 20 differ. They are a "category" if two
      differ, or if they look like codes: of one length from 3 digits on, and far from each other.
    - Other whole numbers are a "count" if they begin at zero or end below 1,000, and vary more than a Poisson
      distribution.
    - At most 10 other numbers that occur 10 times on average are "ordinal".
    - Other numbers are "bounded" if they are within (0, 1) and come close to both, "positive" if they are all above
      zero and a normal distribution fits their logarithms about as well or better, and otherwise "real".

    Numbers that are repeated much more often than their neighbours, such as 0, are `atoms` of their column.

    Args:
        frame: The table. Its columns may be text, as `read_table` returns them, or have types.
        missing: Texts or numbers that stand for a missing value, besides '', '?', NA, N/A, NaN, null, None and those
            of pandas.
        label: The name of a column of classes, which is a category whatever its values are.
        kinds: The kinds of some columns by name, in the place of inferred ones. A sequence is the categories of an
            ordinal column in order.

    Raises:
        TableError: If the table has no rows, two columns have the same name, a column in `label` or `kinds` does not
            exist, or values do not fit the kind in `kinds`.
    """
    if not len(frame) or not len(frame.columns):
        raise TableError(
            "A table must have at least one row and one column. Received: a data frame of shape "
            f"{len(frame)} x {len(frame.columns)}"
        )
    names = [str(name) for name in frame.columns]
    twice = next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None
    if twice is not None:
        raise TableError(f"The columns of a table must have different names. Received: {twice!r} more than once")
    given: dict[str, Kind | Sequence[str]] = {**({} if label is None else {label: "category"}), **(kinds or {})}
    for name in given:
        if name not in names:
            raise TableError(f"The table has no column {name!r}. Received: the columns {quoted(names)}")
    marks = [str(mark) for mark in missing]
    columns = [_column(name, frame.iloc[:, place], marks, given.get(name)) for place, name in enumerate(names)]
    return Schema(columns, missing=marks)


def _column(name: str, series: "pd.Series", missing: Sequence[str], given: Kind | Sequence[str] | None) -> Column:
    cells = cells_of(series, missing)
    if given is None:
        require_finite(name, cells)
        kind, reason = decide(name, cells)
        return build(name, cells, kind, reason)
    if not isinstance(given, str):
        return build(name, cells, "ordinal", "as given", [str(value) for value in given])
    if given not in KINDS:
        raise TableError(
            f"The kind of a column must be one of {', '.join(KINDS)}. Received: {quoted(given)} for the column {name!r}"
        )
    return build(name, cells, cast(Kind, given), "as given")
