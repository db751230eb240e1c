"""The schema of a table from what a user says of some columns."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tfvae.tables.errors import TableError
from tfvae.tables.files import schema_from_dict
from tfvae.tables.inference import infer
from tfvae.tables.schema import Schema

if TYPE_CHECKING:
    import pandas as pd


def schema_of(
    frame: "pd.DataFrame", columns: Mapping[str, Any], *, apart: Sequence[str] = (), missing: Sequence[str] = ()
) -> Schema:
    """Returns the schema of a table.

    Args:
        frame: The table.
        columns: What is known of columns, by name: a kind, or the categories of an ordinal column in order, and the
            rest is inferred; or for every column a table of settings, as a resolved run has them, and nothing is.
        apart: Columns that are not part of a row, such as the label.
        missing: Texts that stand for a missing value, besides the usual ones.

    Raises:
        TableError: If a column does not exist, or its values do not fit what is said of it.
    """
    are_complete = [isinstance(settings, Mapping) for settings in columns.values()]
    if any(are_complete):
        if not all(are_complete):
            raise TableError(
                "Columns must be given all as tables of settings, or some with their kinds. Received: both"
            )
        return schema_from_dict({"columns": dict(columns), "missing": list(missing)}, "data.columns")
    names = [str(name) for name in frame.columns]
    for name in apart:
        if name not in names:
            raise TableError(f"The table has no column {name!r}. Received: the columns {names}")
    schema = infer(frame, missing=missing, kinds={**columns, **dict.fromkeys(apart, "ignored")})
    reasons = [
        dataclasses.replace(column, reason="given apart from the rows") if column.name in apart else column
        for column in schema
    ]
    return Schema(reasons, schema.missing)
