"""Distances between the distributions of a column in two tables."""

import dataclasses

import numpy as np

from tfvae.tables import Column


@dataclasses.dataclass(frozen=True)
class Cells:
    """A partition of the values of a column.

    Attributes:
        atoms: Values with a cell of their own, `[A]`, in order.
        edges: Inner limits `[E]` of the E + 1 intervals that have the other values.
    """

    atoms: np.ndarray
    edges: np.ndarray

    @classmethod
    def of(cls, column: Column, values: np.ndarray, num_cells: int) -> "Cells":
        """Partitions the values of a column.

        Each category is a cell. Of numbers, a value with a share of at least 1 / num_cells has a cell, and the others
        are cut at their quantiles into intervals that have about such a share each. Without repeated values, these are
        num_cells intervals of equal shares. If there are at most num_cells different values, each has a cell.

        Args:
            column: What is known of the column.
            values: Its values that are not missing, `[N]`.
            num_cells: Number of cells, at most about.
        """
        if column.categories:
            return cls(np.arange(len(column.categories), dtype=float), np.empty(0))
        found, counts = np.unique(values, return_counts=True)
        if len(found) <= num_cells:
            return cls(found, np.empty(0))
        is_atom = counts * num_cells >= len(values)
        others = values[np.isin(values, found[~is_atom])]
        num_intervals = max(1, round(len(others) * num_cells / len(values)))
        quantiles = np.quantile(others, np.arange(1, num_intervals) / num_intervals, method="inverted_cdf")
        return cls(found[is_atom], np.unique(quantiles))

    def shares(self, values: np.ndarray) -> np.ndarray:
        """Returns the shares of values in the cells: those of the atoms, then those of the intervals."""
        place = np.minimum(np.searchsorted(self.atoms, values), max(len(self.atoms) - 1, 0))
        is_atom = self.atoms[place] == values if len(self.atoms) else np.zeros(len(values), bool)
        of_atoms = np.bincount(place[is_atom], minlength=len(self.atoms))
        interval = np.searchsorted(self.edges, values[~is_atom], side="left")
        counts = np.concatenate([of_atoms, np.bincount(interval, minlength=len(self.edges) + 1)])
        return counts / max(len(values), 1)


def total_variation(p: np.ndarray, q: np.ndarray) -> float:
    """Returns the total variation distance of two distributions on the same cells, sum |p_i - q_i| / 2."""
    return float(np.abs(p - q).sum() / 2.0)


def expected_total_variation(p: np.ndarray, num_first: int, num_second: int) -> float:
    """Returns about the distance of the shares of two random tables whose values have the same distribution p.

    The difference of two shares has the variance v = p_i (1 - p_i) (1/n + 1/m), and E|difference| is about
    sqrt(2 v / pi), as that of a normal distribution. A distance below it means nothing.
    """
    variance = p * (1.0 - p) * (1.0 / max(num_first, 1) + 1.0 / max(num_second, 1))
    return float(np.sqrt(2.0 * variance / np.pi).sum() / 2.0)
