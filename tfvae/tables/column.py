"""What is known of one column of a table."""

import dataclasses
from typing import Literal, get_args

Kind = Literal["real", "positive", "count", "bounded", "category", "ordinal", "boolean", "date", "constant", "ignored"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_WITH_ATOMS = ("real", "positive", "count", "bounded")
_WITH_CATEGORIES = ("category", "ordinal", "boolean")
_NOT_USED = ("constant", "ignored")


@dataclasses.dataclass(frozen=True)
class Column:
    """One column of a table.

    A value is one number in memory: the value itself for "real", "positive", "count" and "bounded"; the place of the
    value in `categories`, from 0, for "category", "ordinal" and "boolean"; and days after `origin` for "date". Constant
    and ignored columns have no number.

    Attributes:
        name: The name of the column.
        kind: "real": any number. "positive": a number above zero. "count": 0, 1, 2, ... "bounded": a number from `low`
            to `high`. "category": one of `categories`, without order. "ordinal": one of `categories`, which are in
            order. "boolean": one of two `categories`. "date": a day or a time. "constant": always the same, the one
            of `categories`, or empty if there is none; tables that are written have it. "ignored": left out.
        categories: The values of a category, ordinal or boolean column, as text, and that of a constant one.
        low: The smallest value of a bounded column. Of other numbers and dates, the smallest in the table from which
            the schema was inferred, or None.
        high: The largest value, likewise.
        atoms: Numbers that are repeated so often that they have a probability of their own, such as an amount of 0.
        decimals: The number of decimals with which numbers are written. None writes all.
        dtype: The pandas type of the column as it was read, for tables that are written, such as "int64".
        origin: The first day of a date column, as ISO 8601.
        format: How dates are written in a column of text: a format for `strptime`, or "ISO8601".
        missing_share: The share of missing values in the table from which the schema was inferred.
        reason: Why the column has this kind, in a few words.

    Raises:
        ValueError: If the kind is unknown, or categories or limits do not fit it.
    """

    name: str
    kind: Kind
    categories: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    atoms: tuple[float, ...] = ()
    decimals: int | None = None
    dtype: str = "float64"
    origin: str | None = None
    format: str | None = None
    missing_share: float = 0.0
    reason: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(
                f"The kind of a column must be one of {', '.join(KINDS)}. Received: kind={self.kind!r} for the column "
                f"{self.name!r}"
            )
        if self.kind == "constant" and len(self.categories) > 1:
            raise ValueError(
                "A constant column has one value, or none. Received: "
                f"categories={self.categories!r} for the column {self.name!r}"
            )
        if self.kind != "constant" and bool(self.categories) != (self.kind in _WITH_CATEGORIES):
            raise ValueError(
                f"A column has categories if its kind is {', '.join(_WITH_CATEGORIES)}, and no others have. Received: "
                f"kind={self.kind!r}, {len(self.categories)} categories for the column {self.name!r}"
            )
        if len(set(self.categories)) != len(self.categories) or (self.kind == "boolean" and len(self.categories) != 2):
            raise ValueError(
                "Categories must differ, and a boolean column has two. Received: "
                f"categories={self.categories!r} for the column {self.name!r}"
            )
        if self.atoms and self.kind not in _WITH_ATOMS:
            raise ValueError(
                f"A column has atoms only if its kind is {', '.join(_WITH_ATOMS)}. Received: kind={self.kind!r}, "
                f"atoms={self.atoms} for the column {self.name!r}"
            )
        if self.kind == "bounded" and not (self.low is not None and self.high is not None and self.low < self.high):
            raise ValueError(
                f"A bounded column has low < high. Received: low={self.low}, high={self.high} for the column "
                f"{self.name!r}"
            )

    @property
    def is_used(self) -> bool:
        """Whether a row has a number for this column."""
        return self.kind not in _NOT_USED

    @property
    def is_text(self) -> bool:
        """Whether the categories are text in tables, also if they look like numbers."""
        return self.dtype in ("str", "object") or "string" in self.dtype or self.dtype.startswith("category")
