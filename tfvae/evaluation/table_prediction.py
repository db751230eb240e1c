"""How useful sampled rows are for training: a prediction that is learned from them, tested on real rows."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import accuracy_score, f1_score, r2_score

from tfvae._checks import whole_number
from tfvae._errors import quoted
from tfvae.evaluation.table_features import Trees
from tfvae.evaluation.table_rows import as_rows, choose
from tfvae.tables import Schema

if TYPE_CHECKING:
    from tfvae.evaluation.table_rows import TableLike

# Of categories that are predicted without being asked for. Boosting has so many trees a step, and rare classes none.
_MOST_CLASSES = 20


class Scores(NamedTuple):
    """How well a prediction is.

    Attributes:
        accuracy: The share of correct classes. NaN for numbers.
        f1: The mean of the F1 scores of the classes. NaN for numbers.
        r2: The share of the variance of a number that is explained. NaN for classes.
    """

    accuracy: float
    f1: float
    r2: float

    def to_dict(self) -> dict[str, float]:
        """Returns the scores that are known."""
        return {name: float(value) for name, value in self._asdict().items() if np.isfinite(value)}


@dataclasses.dataclass(frozen=True)
class TrainOnSynthetic:
    """Result of `train_on_synthetic`.

    Attributes:
        target: What is predicted.
        predicts_classes: Whether it is a class, and not a number.
        trained_on_real: Trained on real rows, tested on held-out real rows: the best that can be expected.
        trained_on_sampled: Trained on sampled rows, tested on held-out real rows.
        tested_on_sampled: Trained on real rows, tested on sampled rows.
        constant: The most frequent class, or the mean, of the real rows, tested on held-out real rows.
        num_real: Number of real rows for training.
        num_sampled: Number of sampled rows.
        num_test: Number of held-out real rows.
    """

    target: str
    predicts_classes: bool
    trained_on_real: Scores
    trained_on_sampled: Scores
    tested_on_sampled: Scores
    constant: Scores
    num_real: int
    num_sampled: int
    num_test: int

    def to_dict(self) -> dict[str, Any]:
        """Returns the values for `report.json`."""
        found = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {name: value.to_dict() if isinstance(value, Scores) else value for name, value in found.items()}


def train_on_synthetic(
    real: "TableLike",
    sampled: "TableLike",
    test: "TableLike",
    schema: Schema,
    *,
    target: str | None = None,
    classes: Sequence[ArrayLike] | None = None,
    max_rows: int = 20_000,
    seed: int = 0,
) -> TrainOnSynthetic:
    """Measures how well a prediction that is learned from sampled rows does on real rows, and the other way round.

    Gradient-boosted trees (scikit-learn's `HistGradientBoostingClassifier`, or `...Regressor` for numbers, with their
    defaults) predict one column from all others. Rows in which it is missing are left out.

    Args:
        real: Real rows for training: a DataFrame, or rows `[N, D]` of numbers as a model takes and gives them.
        sampled: Sampled rows.
        test: Held-out real rows.
        schema: The columns.
        target: Name of the column that is predicted. None is the last column of at most 20 categories (category or
            boolean, else ordinal), or else the last column of other values, or the last column.
        classes: Classes of the rows of `real`, `sampled` and `test`, integers, for a target that is no column of the
            rows, such as the condition of a conditional model. Those below 0 are unknown. `target` is then its name.
        max_rows: Number of rows of each table that are used, at most.
        seed: Seed of the choice of rows.

    Returns:
        `TrainOnSynthetic`.

    Raises:
        ValueError: If the target is no column, or a table has no rows with a target, or only one class.

    References:
        Esteban, Hyland & Rätsch, Real-valued (medical) time series generation with recurrent conditional GANs, 2017,
        arXiv 1706.02633, section 4.1 ("train on synthetic, test on real").
    """
    max_rows, rng = whole_number(max_rows, "max_rows"), np.random.default_rng(seed)
    given = {"real": real, "sampled": sampled, "test": test}
    tables = [as_rows(table, schema, name) for name, table in given.items()]
    columns = list(schema.used)
    if classes is None:
        place = _place_of(target, schema)
        target, predicts_classes = columns[place].name, bool(columns[place].categories)
        targets = [rows[:, place] for rows in tables]
        tables = [np.delete(rows, place, axis=1) for rows in tables]
        del columns[place]
    else:
        target, predicts_classes = "label" if target is None else target, True
        targets = [np.where(np.asarray(part) < 0, np.nan, part) for part in classes]
    if not columns:
        raise ValueError("A prediction needs at least one column besides the target. Received: a table with one column")
    parts = []
    for name, rows, values in zip(given, tables, targets, strict=True):
        rows, values = rows[~np.isnan(values)], values[~np.isnan(values)]
        if not len(rows):
            raise ValueError(f"`{name}` must have rows with a value of {target!r}. Received: {name} without one")
        chosen = choose(rows, max_rows, rng)
        parts.append((rows[chosen], values[chosen]))
    (rows, values), of_samples, of_test = parts
    for name, (_, found) in (("real", parts[0]), ("sampled", parts[1])):
        if len(np.unique(found)) < 2:
            raise ValueError(
                f"The target must have different values. Received: `{name}` with one value of {target!r} only"
            )
    by_real, by_samples = (
        Trees(columns, classifies=predicts_classes, seed=seed).fit(*part) for part in (parts[0], of_samples)
    )
    always = _most_frequent(values) if predicts_classes else values.mean()
    return TrainOnSynthetic(
        target=target,
        predicts_classes=predicts_classes,
        trained_on_real=_scores(by_real.predict(of_test[0]), of_test[1], predicts_classes),
        trained_on_sampled=_scores(by_samples.predict(of_test[0]), of_test[1], predicts_classes),
        tested_on_sampled=_scores(by_real.predict(of_samples[0]), of_samples[1], predicts_classes),
        constant=_scores(np.full(len(of_test[1]), always), of_test[1], predicts_classes),
        num_real=len(rows),
        num_sampled=len(of_samples[0]),
        num_test=len(of_test[0]),
    )


def _place_of(target: str | None, schema: Schema) -> int:
    """Returns the place of the target among the used columns."""
    names = [column.name for column in schema.used]
    if target is not None:
        if target not in names:
            raise ValueError(
                f"`target` must be one of the columns of the rows, {quoted(names)}. Received: target={quoted(target)}"
            )
        return names.index(target)
    for kinds in (("category", "boolean"), ("ordinal",)):
        places = [
            place
            for place, column in enumerate(schema.used)
            if column.kind in kinds and len(column.categories) <= _MOST_CLASSES
        ]
        if places:
            return places[-1]
    others = [place for place, column in enumerate(schema.used) if not column.categories]
    return others[-1] if others else len(names) - 1


def _most_frequent(values: np.ndarray) -> float:
    found, counts = np.unique(values, return_counts=True)
    return float(found[counts.argmax()])


def _scores(predicted: np.ndarray, values: np.ndarray, are_classes: bool) -> Scores:
    if not are_classes:
        return Scores(np.nan, np.nan, r2_score(values, predicted) if len(values) > 1 else np.nan)
    f1 = f1_score(values, predicted, average="macro", labels=np.unique(values), zero_division=0.0)
    return Scores(accuracy_score(values, predicted), f1, np.nan)
