"""The columns of a table in parts, whose distributions are made together."""

import numpy as np

from tfvae.layers._table_codes import Bernoullis, Categoricals, OrderedCategoricals
from tfvae.layers._table_columns import TableColumns
from tfvae.layers._table_numbers import LogNormals, NegativeBinomials, Normals, TruncatedLogistics
from tfvae.layers._table_part import Part

# The distributions of the kinds of columns.
_PARTS: dict[tuple[str, ...], type[Part]] = {
    ("real", "date"): Normals,
    ("positive",): LogNormals,
    ("bounded",): TruncatedLogistics,
    ("count",): NegativeBinomials,
    ("boolean",): Bernoullis,
    ("category",): Categoricals,
    ("ordinal",): OrderedCategoricals,
}


def table_parts(columns: TableColumns, min_scale: float) -> list[Part]:
    """Returns the columns in parts, one for each kind.

    Categorical and ordinal columns are padded to the same number of categories. They are in several parts, in each of
    which the largest number is less than twice the smallest. There are then few parts for any number of columns, and
    padding at most doubles the work.
    """
    parts = []
    for kinds, cls in _PARTS.items():
        places = columns.of_kind(*kinds)
        is_padded = cls in (Categoricals, OrderedCategoricals)
        groups = np.frexp(columns.num_categories[places])[1] if is_padded else np.zeros(len(places))
        parts += [cls(columns, places[groups == group], min_scale) for group in np.unique(groups)]
    return parts
