"""The columns of a table."""

import collections
import dataclasses
from collections.abc import Iterator, Sequence

from tfvae._errors import quoted
from tfvae.tables.column import Column
from tfvae.tables.description import described


@dataclasses.dataclass(frozen=True)
class Schema:
    """The columns of a table, in order.

    Attributes:
        columns: All columns, also constant and ignored ones.
        missing: Texts that stand for a missing value in this table, besides the usual ones.

    Raises:
        ValueError: If two columns have the same name.
    """

    columns: Sequence[Column]
    missing: Sequence[str] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", tuple(self.columns))
        object.__setattr__(self, "missing", tuple(map(str, self.missing)))
        counts = collections.Counter(column.name for column in self.columns)
        twice = sorted(name for name, count in counts.items() if count > 1)
        if twice:
            raise ValueError(f"The columns of a table must have different names. Received: {twice[0]!r} more than once")

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    def __getitem__(self, name: str) -> Column:
        """Returns the column of this name."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"The table has no column {name!r}. Its columns are {quoted(self.names)}.")

    @property
    def names(self) -> list[str]:
        """The names of all columns, in order."""
        return [column.name for column in self.columns]

    @property
    def used(self) -> tuple[Column, ...]:
        """The columns that are not constant or ignored: one value each in a row x `[D]`."""
        return tuple(column for column in self.columns if column.is_used)

    def describe(self) -> str:
        """Returns a table with one line a column: name, kind, values, share of missing values, and the reason."""
        return described(self.columns)
