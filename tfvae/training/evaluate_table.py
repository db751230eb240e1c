"""Measurements of a run whose data are a table: its columns, and what sampled rows are worth."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from tfvae import evaluation
from tfvae._seeds import fold_in, stateless_seed
from tfvae.data import Split
from tfvae.data.conditions import LABEL
from tfvae.data.holes import with_nan
from tfvae.evaluation import table_figures
from tfvae.models import VAE
from tfvae.models.styles import has_class_labels
from tfvae.tables import Schema
from tfvae.training.attempts import Attempts
from tfvae.training.examine import Examination
from tfvae.training.run_data import RunData
from tfvae.training.saved_run import Run

# Number of real and of sampled rows that are compared, at least and at most, and of their values.
_MIN_ROWS, _MAX_ROWS, _MAX_VALUES = 1000, 10_000, 5_000_000
_MAX_DRAWN = 2_000_000  # values that are drawn at a time


class _Rows(NamedTuple):
    """Rows `[N, D]` with NaN at missing values, and their classes `[N]`, if the label is not one of the columns."""

    x: np.ndarray
    classes: np.ndarray | None


def evaluate_table(
    run: Run, data: RunData, schema: Schema, *, attempt: Attempts, on_stage: Callable[[str], None]
) -> Examination:
    """Measures columns, associations between columns, and classifiers that learn from sampled rows.

    Real rows are training rows, of which the model is to be a model. The log-likelihood of columns, and the tests of
    classifiers, are on the reported rows.

    Args:
        run: The run.
        data: The data of the run.
        schema: The columns.
        attempt: Runs each measure and figure. Those that fail are omitted.
        on_stage: Function that is called with a line of text when a stage begins.
    """
    report: dict[str, Any] = {}
    drawn: dict[str, Figure] = {}
    held_out = data.evaluation
    num_rows = max(min(_MAX_ROWS, _MAX_VALUES // len(schema.used)), 1)
    train = data.train(num_rows)
    on_stage(f"measuring {len(schema.used)} columns")
    likelihoods = attempt("log-likelihood by column", lambda: _likelihoods(run, data, schema))
    columns: dict[str, Any] = {column.name: {"kind": column.kind} for column in schema.used}
    if likelihoods is not None:
        _merge(columns, likelihoods.to_dict())
    sampled = attempt("sampled rows", lambda: _sampled(run, train, min(num_rows, max(len(train), _MIN_ROWS))))
    real, test = _rows_of(train, run), _rows_of(held_out, run)
    if sampled is not None:
        found = attempt("columns", lambda: evaluation.compare_tables(real.x, sampled.x, schema))
        if found is not None:
            report["table_comparison"] = found.to_dict()
            _merge(columns, report["table_comparison"].pop("columns"))
            _draw(drawn, attempt, "marginals", lambda: table_figures.marginals(found))
            _draw(drawn, attempt, "associations", lambda: table_figures.association_matrices(found))
        on_stage("training classifiers on sampled rows")
        if len(schema.used) > 1 or sampled.classes is not None:
            known = [rows.classes for rows in (real, sampled, test) if rows.classes is not None]
            classes = known if len(known) == 3 else None
            name = None if classes is None else run.config.data.label or "label"
            given = real.x, sampled.x, test.x, schema
            prediction = attempt(
                "learning from sampled rows",
                lambda: evaluation.train_on_synthetic(*given, target=name, classes=classes),
            )
            if prediction is not None:
                report["prediction"] = prediction.to_dict()
        apart = attempt("telling rows apart", lambda: evaluation.tell_apart(real.x, sampled.x, schema))
        if apart is not None:
            report["tell_apart"] = apart.to_dict()
    if likelihoods is not None:
        _draw(drawn, attempt, "column_likelihoods", lambda: table_figures.column_likelihoods(likelihoods))
    return Examination({"columns": columns, **report}, drawn)


def _likelihoods(run: Run, data: RunData, schema: Schema) -> evaluation.ColumnLogLikelihoods:
    train, test = data.train(), data.evaluation
    rows, held_out = with_nan(train.x, train.observed), with_nan(test.x, test.observed)
    return evaluation.log_likelihood_by_column(
        run.vae,
        test,
        schema,
        independent=evaluation.independent_log_likelihood_by_column(rows, held_out, schema),
        num_samples=run.config.evaluation.num_samples,
    )


def _rows_of(split: Split, run: Run) -> _Rows:
    return _Rows(with_nan(split.x, split.observed), split.labels if _has_classes(run) else None)


def _has_classes(run: Run) -> bool:
    """Whether samples have a class that is no column of the rows."""
    return has_class_labels(run.vae) or run.config.data.condition == LABEL


def _sampled(run: Run, train: Split, num: int) -> _Rows:
    """Draws rows, given the conditions or the classes of randomly drawn training rows if the model has such."""
    rng = np.random.default_rng(0)
    of_class = _has_classes(run) and train.labels is not None
    known = np.flatnonzero(train.labels >= 0) if of_class and train.labels is not None else np.arange(len(train))
    if not len(known):
        raise ValueError("None of the training rows has a label. Received: rows without labels")
    chosen = known[rng.integers(0, len(known), num)]
    size = max(1, _MAX_DRAWN // train.event_shape[0])
    parts = [_draw_rows(run.vae, train, chosen[start : start + size], i) for i, start in enumerate(range(0, num, size))]
    return _Rows(np.concatenate(parts), train.labels[chosen] if of_class and train.labels is not None else None)


def _draw_rows(vae: VAE, train: Split, chosen: np.ndarray, block: int) -> np.ndarray:
    given: dict[str, Any] = {}
    if vae.condition_shape is not None and train.condition is not None:
        given["condition"] = train.condition[chosen]
    if has_class_labels(vae) and train.labels is not None:
        given["label"] = train.labels[chosen]
    return np.asarray(vae.sample(len(chosen), seed=fold_in(stateless_seed(0), block), **given), np.float32)


def _merge(columns: dict[str, Any], found: dict[str, Any]) -> None:
    for name, numbers in found.items():
        columns[name] |= numbers


def _draw(drawn: dict[str, Figure], attempt: Attempts, name: str, step: Callable[[], Figure]) -> None:
    figure = attempt(name, step)
    if figure is not None:
        drawn[name] = figure
