"""The columns of a table."""

import dataclasses
from collections.abc import Iterator, Sequence

from tfvae.tables.column import Column


@dataclasses.dataclass(frozen=True)
class Schema:
    """The columns of a table, in order.

    Attributes:
        columns: All columns, also ignored ones.

    Raises:
        ValueError: If two columns have the same name.
    """

    columns: Sequence[Column]

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", tuple(self.columns))
        names = [column.name for column in self.columns]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"The columns of a table must have different names. Received: {twice[0]!r} more than once")

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    def __getitem__(self, name: str) -> Column:
        """Returns the column of this name."""
        return next(column for column in self.columns if column.name == name)

    @property
    def used(self) -> tuple[Column, ...]:
        """The columns that are not ignored: one value each in a row x `[D]`."""
        return tuple(column for column in self.columns if column.kind != "ignored")
