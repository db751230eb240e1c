"""What users give as X, and the rows of numbers of the model."""

from typing import Any, Literal, Protocol

import numpy as np

from tfvae.tables import Schema

Misfits = Literal["error", "missing"]


class Form(Protocol):
    """The form of X: its columns, and the way from it to rows of numbers and back."""

    @property
    def schema(self) -> Schema:
        """What the columns are."""

    def rows(self, x: Any, *, misfits: Misfits = "error") -> tuple[np.ndarray, np.ndarray]:
        """Returns the rows of numbers `[N, D]`, float32, and the boolean array of observed values `[N, D]`.

        Args:
            x: Data in this form.
            misfits: As for `tfvae.tables.to_rows`.
        """

    def restored(self, rows: np.ndarray, like: Any = None) -> Any:
        """Returns rows of numbers in this form.

        Args:
            rows: Rows `[N, D]`.
            like: Data frame whose index the result has, if it is a data frame too.
        """

    def filled(self, x: Any, rows: np.ndarray) -> Any:
        """Returns a copy of x whose missing values are those of the rows."""
