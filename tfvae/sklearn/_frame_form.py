"""Data frames as rows of numbers, and back."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from tfvae.sklearn._form import Misfits
from tfvae.tables import Schema, TableError, infer, to_frame, to_rows
from tfvae.tables.column import Kind
from tfvae.tables.filling import with_filled

if TYPE_CHECKING:
    import pandas as pd


@dataclasses.dataclass(frozen=True)
class FrameForm:
    """Data frames, whose columns have kinds that are inferred, unless they are given.

    Attributes:
        schema: The columns.
        labels: Their names in the data frame, which may be other than text.
    """

    schema: Schema
    labels: tuple[Any, ...]

    @classmethod
    def of(cls, x: "pd.DataFrame", kinds: "Mapping[str, Kind | Sequence[str]] | Kind | None") -> Self:
        """Returns the form of a data frame.

        Args:
            x: The data frame.
            kinds: Kinds of some columns by name, or one kind for all columns.

        Raises:
            TableError: If the table has no rows, a column does not exist, or its values do not fit the kind.
        """
        given = dict.fromkeys(map(str, x.columns), kinds) if isinstance(kinds, str) else kinds
        schema = infer(x, kinds=given)
        if not schema.used:
            raise TableError(f"The data frame has no column that can be used.\n{schema.describe()}")
        return cls(schema, tuple(x.columns))

    def rows(self, x: Any, *, misfits: Misfits = "error") -> tuple[np.ndarray, np.ndarray]:
        """See `Form`. An array must have the columns of the data frame, in their order."""
        return to_rows(self._as_frame(x), self.schema, misfits=misfits)

    def restored(self, rows: np.ndarray, like: Any = None) -> "pd.DataFrame":
        """See `Form`. Constant columns have their value; ignored ones are left out."""
        import pandas as pd

        frame = to_frame(rows, self.schema)
        names = dict(zip(self.schema.names, self.labels, strict=True))
        frame.columns = pd.Index([names[name] for name in frame.columns])
        if isinstance(like, pd.DataFrame):
            frame.index = like.index
        return frame

    def filled(self, x: Any, rows: np.ndarray) -> "pd.DataFrame":
        """See `Form`."""
        return with_filled(self._as_frame(x), rows, self.schema)

    def _as_frame(self, x: Any) -> "pd.DataFrame":
        import pandas as pd

        return x if isinstance(x, pd.DataFrame) else pd.DataFrame(np.asarray(x), columns=list(self.labels))
