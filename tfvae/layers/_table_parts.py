"""The columns of a table in parts, whose distributions are made together."""

import numpy as np

from tfvae.layers._table_atoms import WithAtoms
from tfvae.layers._table_codes import Bernoullis, Categoricals, OrderedCategoricals
from tfvae.layers._table_columns import TableColumns
from tfvae.layers._table_numbers import Counts, Numbers, PositiveNumbers
from tfvae.layers._table_part import Part

# The distributions of the kinds of columns.
_PARTS: dict[tuple[str, ...], type[Part]] = {
    ("real", "date", "bounded"): Numbers,
    ("positive",): PositiveNumbers,
    ("count",): Counts,
    ("boolean",): Bernoullis,
    ("category",): Categoricals,
    ("ordinal",): OrderedCategoricals,
}


def table_parts(columns: TableColumns, min_scale: float, num_components: int) -> list[Part]:
    """Returns the columns in parts, of which each has a distribution of one class.

    Categorical and ordinal columns are padded to the same number of categories, and numbers to the same number of
    atoms. They are in several parts, in each of which the largest number is less than twice the smallest. There are
    then few parts for any number of columns, and padding at most doubles the work.
    """
    parts: list[Part] = []
    for kinds, cls in _PARTS.items():
        places = columns.of_kind(*kinds)
        is_padded = cls is not Bernoullis
        groups = (
            np.frexp((columns.num_categories + columns.num_atoms)[places])[1] if is_padded else np.zeros(len(places))
        )
        for group in np.unique(groups):
            part = cls(columns, places[groups == group], min_scale, num_components)
            parts.append(WithAtoms(part) if columns.num_atoms[part.places].any() else part)
    return parts
