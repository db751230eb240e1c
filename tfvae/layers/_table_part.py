"""Base class of the parts of a row: columns whose distributions are made together."""

import abc

import numpy as np

from tfvae.layers._table_columns import TableColumns
from tfvae.layers._table_statistics import TableStatistics
from tfvae.typing import Distribution, Tensor


class Part(abc.ABC):
    """Columns of a table whose distributions are made together.

    Args:
        columns: All columns.
        places: Places of the columns of this part, `[n]`.
        min_scale: The smallest standard deviation on the standardised scale.
    """

    def __init__(self, columns: TableColumns, places: np.ndarray, min_scale: float):
        self.columns = columns
        self.places = places
        self.min_scale = min_scale

    @property
    @abc.abstractmethod
    def size(self) -> int:
        """The number of parameters."""

    @abc.abstractmethod
    def start(self, statistics: TableStatistics) -> np.ndarray:
        """Returns the parameters `[size]` of about the marginal distribution of each column."""

    @abc.abstractmethod
    def distribution(self, parameters: Tensor, loc: Tensor, scale: Tensor) -> Distribution:
        """Creates distributions of single numbers in the units of the data, of batch shape `[..., n]`.

        Args:
            parameters: Parameters `[..., size]`.
            loc: Means of the columns of this part on the scale on which they are standardised, `[n]`.
            scale: Standard deviations on that scale, `[n]`.
        """
