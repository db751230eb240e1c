"""How well sampled rows can be told apart from real ones."""

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

from tfvae._checks import whole_number
from tfvae.evaluation.table_features import Trees
from tfvae.evaluation.table_rows import as_rows, choose, with_holes_of
from tfvae.tables import Schema

if TYPE_CHECKING:
    from tfvae.evaluation.table_rows import TableLike

_NUM_FOLDS = 3


@dataclasses.dataclass(frozen=True)
class Discrimination:
    """Result of `tell_apart`.

    Attributes:
        auroc: Probability that the classifier finds a random sampled row more likely to be sampled than a random real
            row. 0.5 is best: the rows cannot be told apart. 1 is worst.
        standard_error: Its standard error over rows.
        num_rows: Number of rows of each table.
    """

    auroc: float
    standard_error: float
    num_rows: int

    def to_dict(self) -> dict[str, Any]:
        """Returns the values for `report.json`."""
        return dataclasses.asdict(self)


def tell_apart(
    real: "TableLike", sampled: "TableLike", schema: Schema, *, max_rows: int = 5000, seed: int = 0
) -> Discrimination:
    """Measures how well a classifier tells sampled rows from real ones.

    The scores of each third of the rows are those of gradient-boosted trees (scikit-learn's
    `HistGradientBoostingClassifier`) that were trained on the two others. Sampled rows get the missing values of random
    real rows, because a model gives rows without missing values.

    Args:
        real: Real rows: a DataFrame, or rows `[N, D]` of numbers as a model takes and gives them.
        sampled: Sampled rows.
        schema: The columns.
        max_rows: Number of rows of each table that are used, at most. Both have the same number.
        seed: Seed of the choice of rows.

    Returns:
        `Discrimination`.

    Raises:
        ValueError: If a table has fewer than three rows, or does not fit the schema.

    References:
        Hanley & McNeil, The meaning and use of the area under a receiver operating characteristic (ROC) curve, 1982,
        equation 1 for the standard error.
    """
    rng = np.random.default_rng(seed)
    rows, other = as_rows(real, schema, "real"), as_rows(sampled, schema, "sampled")
    num = min(len(rows), len(other), whole_number(max_rows, "max_rows"))
    if num < _NUM_FOLDS:
        raise ValueError(
            f"Each table must have at least {_NUM_FOLDS} rows. Received: {len(rows)} real and {len(other)} sampled rows"
        )
    rows, other = rows[choose(rows, num, rng)], other[choose(other, num, rng)]
    x = np.concatenate([rows, with_holes_of(other, rows, rng)])
    is_sampled = np.repeat([0, 1], num)
    scores = np.empty(2 * num)
    for train, test in StratifiedKFold(_NUM_FOLDS, shuffle=True, random_state=seed).split(x, is_sampled):
        trees = Trees(list(schema.used), classifies=True, seed=seed).fit(x[train], is_sampled[train])
        scores[test] = trees.score(x[test])
    auroc = float(roc_auc_score(is_sampled, scores))
    return Discrimination(auroc, _standard_error(auroc, num), num)


def _standard_error(auroc: float, num: int) -> float:
    """Returns the standard error of an area over N positives and N negatives.

    With Q1 = A / (2 - A) and Q2 = 2 A^2 / (1 + A), it is sqrt((A (1 - A) + (N - 1) (Q1 + Q2 - 2 A^2)) / N^2).
    """
    first, second = auroc / (2.0 - auroc), 2.0 * auroc**2 / (1.0 + auroc)
    variance = auroc * (1.0 - auroc) + (num - 1) * (first + second - 2.0 * auroc**2)
    return math.sqrt(max(variance, 0.0)) / num
