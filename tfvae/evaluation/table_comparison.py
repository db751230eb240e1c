"""Comparison of two tables with the same columns: each column alone, and each pair."""

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from tfvae._checks import whole_number
from tfvae.evaluation.table_associations import associations
from tfvae.evaluation.table_marginals import Cells, expected_total_variation, total_variation
from tfvae.evaluation.table_rows import as_rows
from tfvae.tables import Column, Schema

if TYPE_CHECKING:
    from tfvae.evaluation.table_rows import TableLike

# Columns of the matrices of associations.
_MAX_COLUMNS = 60


@dataclasses.dataclass(frozen=True)
class TableComparison:
    """Result of `compare_tables`, for D columns.

    Attributes:
        columns: The columns.
        total_variation: Total variation distance of each column `[D]`, from 0 (equal) to 1. NaN without values.
        expected_total_variation: About the distance `[D]` of two tables of these sizes from the same distribution.
        real_associations: Associations between the columns of the real rows, `[M, M]`, of the first M columns.
        sampled_associations: Those of the sampled rows.
        real: Real rows `[N, D]`, NaN at missing values.
        sampled: Sampled rows `[K, D]`.
    """

    columns: tuple[Column, ...]
    total_variation: np.ndarray
    expected_total_variation: np.ndarray
    real_associations: np.ndarray
    sampled_associations: np.ndarray
    real: np.ndarray
    sampled: np.ndarray

    @property
    def association_error(self) -> float:
        """The mean absolute difference between the associations of different columns. NaN if none is known."""
        upper = np.triu_indices(len(self.real_associations), 1)
        differences = np.abs(self.real_associations - self.sampled_associations)[upper]
        known = differences[np.isfinite(differences)]
        return float(known.mean()) if known.size else np.nan

    @property
    def mean_total_variation(self) -> float:
        """The mean over columns. NaN if no column has values."""
        known = self.total_variation[np.isfinite(self.total_variation)]
        return float(known.mean()) if known.size else np.nan

    def to_dict(self) -> dict[str, Any]:
        """Returns the distances and associations for `report.json`, without the rows; NaN becomes None."""
        return {
            "num_real": len(self.real),
            "num_sampled": len(self.sampled),
            "mean_total_variation": _finite(self.mean_total_variation),
            "sum_total_variation": _finite(float(np.nansum(self.total_variation))),
            "association_error": _finite(self.association_error),
            "columns": {
                column.name: {
                    "kind": column.kind,
                    "total_variation": _finite(distance),
                    "expected_total_variation": _finite(expected),
                }
                for column, distance, expected in zip(
                    self.columns, self.total_variation, self.expected_total_variation, strict=True
                )
            },
            "real_associations": [[_finite(value) for value in row] for row in self.real_associations],
            "sampled_associations": [[_finite(value) for value in row] for row in self.sampled_associations],
        }

    def __repr__(self) -> str:
        return (
            f"TableComparison(mean total variation {self.mean_total_variation:.4f} over {len(self.columns)} columns, "
            f"mean error of associations {self.association_error:.4f})"
        )


def compare_tables(real: "TableLike", sampled: "TableLike", schema: Schema, *, num_cells: int = 20) -> TableComparison:
    """Compares the columns of two tables, and the dependence between columns.

    Of each column, the total variation distance is that of the shares of its values in cells. A category is a cell. Of
    numbers, a value with a share of at least 1 / num_cells in the real rows is a cell, such as 40 hours a week, and the
    others are cut at the quantiles of the real rows into intervals of about such a share (`table_marginals.Cells`).
    Missing values are left out. Two tables with the same distribution have a distance above zero by chance, about
    `expected_total_variation`.

    The association of two columns is Spearman's rank correlation, the correlation ratio of ranks, or Cramér's V, see
    `table_associations.associations`.

    Args:
        real: Real rows: a DataFrame, or rows `[N, D]` of numbers as a model of the table takes and gives them.
        sampled: Sampled rows.
        schema: The columns.
        num_cells: Number of cells of a column of numbers, at most about.

    Returns:
        `TableComparison`. Matrices of associations have the first 60 columns.

    Raises:
        ValueError: If a table has no rows, or does not fit the schema.
    """
    num_cells = whole_number(num_cells, "num_cells", at_least=2)
    rows, other = as_rows(real, schema, "real"), as_rows(sampled, schema, "sampled")
    pairs = zip(schema.used, rows.T, other.T, strict=True)
    found = np.array([_distances(column, x, y, num_cells) for column, x, y in pairs])
    few = schema.used[:_MAX_COLUMNS]
    return TableComparison(
        columns=schema.used,
        total_variation=found[:, 0],
        expected_total_variation=found[:, 1],
        real_associations=associations(rows[:, : len(few)], few),
        sampled_associations=associations(other[:, : len(few)], few),
        real=rows,
        sampled=other,
    )


def _distances(column: Column, real: np.ndarray, sampled: np.ndarray, num_cells: int) -> tuple[float, float]:
    real, sampled = real[~np.isnan(real)], sampled[~np.isnan(sampled)]
    if not len(real) or not len(sampled):
        return np.nan, np.nan
    cells = Cells.of(column, real, num_cells)
    p = cells.shares(real)
    return total_variation(p, cells.shares(sampled)), expected_total_variation(p, len(real), len(sampled))


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
