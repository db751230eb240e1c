"""Rows of a table as features of gradient-boosted trees."""

import warnings
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from tfvae.tables import Column

# Most columns and categories that the trees are given.
MAX_COLUMNS = 200
_MAX_CATEGORIES = 255


class Trees:
    """Gradient-boosted trees for rows of a table, which take missing values and categories as they are.

    Args:
        columns: The columns of the rows. Of more than 200 columns, the first are used.
        classifies: Whether to predict classes and not numbers.
        seed: Seed of the split for early stopping.
    """

    def __init__(self, columns: list[Column], *, classifies: bool, seed: int):
        self._num_columns = min(len(columns), MAX_COLUMNS)
        used = columns[: self._num_columns]
        # The trees take at most 255 categories. The codes of a column with more are numbers to them.
        is_category = [column.kind == "category" and len(column.categories) <= _MAX_CATEGORIES for column in used]
        kind: Any = HistGradientBoostingClassifier if classifies else HistGradientBoostingRegressor
        self._model = kind(categorical_features=is_category, random_state=seed)

    def fit(self, rows: np.ndarray, target: np.ndarray) -> "Trees":
        """Trains the trees to predict a target `[N]` from rows `[N, D]`."""
        # On a busy machine, threads that wait for each other take ten times as long as one alone.
        with warnings.catch_warnings(), threadpool_limits(1, "openmp"):
            warnings.filterwarnings("ignore", category=UserWarning, module="sklearn")  # rare classes, empty columns
            self._model.fit(rows[:, : self._num_columns], target)
        return self

    def predict(self, rows: np.ndarray) -> np.ndarray:
        """Returns classes or numbers `[N]`."""
        with threadpool_limits(1, "openmp"):
            return np.asarray(self._model.predict(rows[:, : self._num_columns]))

    def score(self, rows: np.ndarray) -> np.ndarray:
        """Returns the probability of the second of two classes, `[N]`."""
        with threadpool_limits(1, "openmp"):
            return np.asarray(self._model.predict_proba(rows[:, : self._num_columns])[:, 1])
