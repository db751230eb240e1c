"""Arrays as rows of numbers, and back."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from tfvae._errors import quoted
from tfvae.sklearn._form import Misfits
from tfvae.tables import Column, Schema, TableError, infer, to_frame, to_rows
from tfvae.tables.column import Kind


@dataclasses.dataclass(frozen=True)
class ArrayForm:
    """Arrays `[N, D]` whose columns are named x0, x1, ... They are real, unless other kinds are given.

    Attributes:
        schema: The columns.
    """

    schema: Schema

    @classmethod
    def of(cls, x: np.ndarray, kinds: "Mapping[str, Kind | Sequence[str]] | Kind | None") -> Self:
        """Returns the form of an array.

        Args:
            x: Array `[N, D]`.
            kinds: Kinds of some columns by name, or one kind for all columns that have different values.

        Raises:
            TableError: If a column does not exist, or its values do not fit the kind.
        """
        names = [f"x{place}" for place in range(x.shape[1])]
        has_values = ~np.isnan(x).all(axis=0)
        given: dict[str, Kind | Sequence[str]] = {}
        if isinstance(kinds, str):
            varies = [len(np.unique(x[~np.isnan(x[:, place]), place])) > 1 for place in range(x.shape[1])]
            given.update({name: kinds for name, is_varied in zip(names, varies, strict=True) if is_varied})
        else:
            given.update(kinds or {})
        unknown = next((name for name in given if name not in names), None)
        if unknown is not None:
            raise TableError(
                f"The columns of an array are named x0 to {names[-1]}. Received: columns={quoted(dict(given))}"
            )
        found = {}
        if given:
            places = [names.index(name) for name in given]
            found = {column.name: column for column in infer(_frame(x, places), kinds=given)}
        plain = {
            name: Column(name, "real" if has else "ignored", reason="a column of an array")
            for name, has in zip(names, has_values, strict=True)
        }
        return cls(Schema([found.get(name, plain[name]) for name in names]))

    def rows(self, x: np.ndarray, *, misfits: Misfits = "error") -> tuple[np.ndarray, np.ndarray]:
        """See `Form`."""
        _require_float32(x)
        rows, observed = np.where(np.isnan(x), 0.0, x).astype(np.float32), ~np.isnan(x)
        places = self._special
        if places:
            schema = Schema([self.schema.columns[place] for place in places])
            rows[:, places], observed[:, places] = to_rows(_frame(x, places), schema, misfits=misfits)
        return rows[:, self._used], observed[:, self._used]

    def restored(self, rows: np.ndarray, like: Any = None) -> np.ndarray:
        """See `Form`."""
        x = np.full((len(rows), len(self.schema)), np.nan)
        x[:, self._used] = rows
        for place in self._special:
            column = self.schema.columns[place]
            x[:, place] = to_frame(x[:, [place]], Schema([column]))[column.name].to_numpy(np.float64)
        return x

    def filled(self, x: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """See `Form`."""
        return np.where(np.isnan(x), self.restored(rows), x)

    @property
    def _used(self) -> list[int]:
        return [place for place, column in enumerate(self.schema) if column.is_used]

    @property
    def _special(self) -> list[int]:
        return [place for place in self._used if self.schema.columns[place].kind != "real"]


def _require_float32(x: np.ndarray) -> None:
    too_large = np.abs(x) > np.finfo(np.float32).max
    if too_large.any():
        raise ValueError(
            "X has values that are too large for float32. Divide their columns by a number, or make them missing "
            f"values. Received: {x[too_large][0]:g}"
        )


def _frame(x: np.ndarray, places: list[int]) -> Any:
    import pandas as pd

    return pd.DataFrame(x[:, places].astype(np.float64), columns=[f"x{place}" for place in places])
