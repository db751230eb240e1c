"""Base class of the parts of a row: columns whose distributions are made together."""

import abc
from typing import NamedTuple

import numpy as np

from tfvae.layers._table_columns import TableColumns
from tfvae.layers._table_statistics import TableStatistics
from tfvae.typing import Distribution, Tensor


class Scales(NamedTuple):
    """The scales on which n columns are standardised, `[n, 1, ...]` with an axis for each of the batch.

    Attributes:
        loc: Mean on the scale of the values, or of their logarithms.
        scale: Standard deviation on that scale.
        low: Smallest standardised value in the data.
        high: Largest standardised value in the data.
    """

    loc: Tensor
    scale: Tensor
    low: Tensor
    high: Tensor


class Part(abc.ABC):
    """Columns of a table whose distributions are made together.

    Columns are the first axis, and rows the last ones. All that is computed for few columns is then computed for many
    rows that are side by side in memory.

    Args:
        columns: All columns.
        places: Places of the columns of this part, `[n]`.
        min_scale: The smallest standard deviation on the standardised scale.
        num_components: The number of components of a mixture.
    """

    def __init__(self, columns: TableColumns, places: np.ndarray, min_scale: float, num_components: int):
        self.columns = columns
        self.places = places
        self.min_scale = min_scale
        self.num_components = num_components

    @property
    @abc.abstractmethod
    def size(self) -> int:
        """The number of parameters."""

    @abc.abstractmethod
    def start(self, statistics: TableStatistics) -> np.ndarray:
        """Returns the parameters `[size]` of about the marginal distribution of each column."""

    @abc.abstractmethod
    def distribution(self, parameters: Tensor, start: Tensor, scales: Scales) -> Distribution:
        """Creates distributions of single numbers in the units of the data, of batch shape `[n, ...]`.

        Args:
            parameters: Parameters `[size, ...]`, relative to those of the marginal distributions.
            start: The value of `start` for the data, `[size, 1, ...]`.
            scales: The scales of the columns of this part.
        """
