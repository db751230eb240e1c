"""Schemas with other kinds for some columns."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import cast

from tfvae._errors import quoted
from tfvae.tables.cells import is_number
from tfvae.tables.column import KINDS, Column, Kind
from tfvae.tables.errors import TableError
from tfvae.tables.schema import Schema

_NUMBERS = ("real", "positive", "count", "bounded")


def with_changes(schema: Schema, changes: Mapping[str, Kind | Sequence[str]]) -> Schema:
    """Returns a schema in which some columns have other kinds.

    Numbers can become other numbers, categories with numbers can become numbers, categories can become ordered, and
    every column can be ignored. Other changes need the values of the table: `infer(frame, kinds=changes)`.

    Args:
        schema: The schema.
        changes: The new kinds by name of column. A sequence is the categories of an ordinal column in order.

    Raises:
        TableError: If a column does not exist, or what is known of it is not enough for the new kind.

    Example:
        >>> schema = Schema([Column("age", "count", low=17, high=90, decimals=0, dtype="int64")])
        >>> with_changes(schema, {"age": "real"})["age"].kind
        'real'
    """
    unknown = [name for name in changes if name not in schema.names]
    if unknown:
        raise TableError(f"The table has no column {unknown[0]!r}. Received: the columns {quoted(schema.names)}")
    columns = [_changed(column, changes[column.name]) if column.name in changes else column for column in schema]
    return Schema(columns, schema.missing)


def _changed(column: Column, change: Kind | Sequence[str]) -> Column:
    if not isinstance(change, str):
        return _ordered(column, tuple(map(str, change)))
    if change not in KINDS:
        raise TableError(
            f"The kind of a column must be one of {', '.join(KINDS)}. Received: {quoted(change)} for the column "
            f"{column.name!r}"
        )
    kind = cast(Kind, change)
    if kind == column.kind:
        return column
    reason = f"changed from {column.kind}"
    if kind == "ignored":
        return dataclasses.replace(column, kind=kind, categories=(), atoms=(), reason=reason)
    if column.kind != "constant" and column.categories and kind in ("category", "ordinal", "boolean"):
        if kind == "boolean" and len(column.categories) != 2:
            raise _refusal(column, kind, f"{len(column.categories)} categories")
        return dataclasses.replace(column, kind=kind, reason=reason)
    if kind in _NUMBERS:
        return _as_number(column, kind, reason)
    raise _refusal(column, kind, f"a column of kind {column.kind!r}")


def _ordered(column: Column, order: tuple[str, ...]) -> Column:
    if not column.categories or sorted(order) != sorted(column.categories):
        raise TableError(
            f"The categories of the column {column.name!r} must be its values, in order. Expected: "
            f"{quoted(list(column.categories))}. Received: {quoted(list(order))}"
        )
    return dataclasses.replace(column, kind="ordinal", categories=order, reason=f"changed from {column.kind}")


def _as_number(column: Column, kind: Kind, reason: str) -> Column:
    """Returns a column of numbers, or of categories that are numbers, as one of another kind of numbers."""
    low, high, decimals = column.low, column.high, column.decimals
    if column.categories and not column.is_text and all(map(is_number, column.categories)):
        numbers = [float(category) for category in column.categories]
        low, high = min(numbers), max(numbers)
        decimals = max(len(category.partition(".")[2]) for category in column.categories)
    elif column.kind not in _NUMBERS:
        raise _refusal(column, kind, f"a column of kind {column.kind!r}")
    if kind == "count" and (decimals != 0 or low is None or low < 0):
        raise _refusal(column, kind, f"numbers from {low} with {decimals} decimals")
    if (kind == "positive" and (low is None or low <= 0)) or (kind == "bounded" and (low is None or low == high)):
        raise _refusal(column, kind, f"numbers from {low} to {high}")
    return dataclasses.replace(column, kind=kind, categories=(), low=low, high=high, decimals=decimals, reason=reason)


def _refusal(column: Column, kind: Kind, received: str) -> TableError:
    return TableError(
        f"The column {column.name!r} cannot be made {kind!r} from what the schema knows of it. Infer the schema of the "
        f'table with kinds={{"{column.name}": "{kind}"}}, or take another kind. Received: {received}'
    )
