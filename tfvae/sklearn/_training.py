"""Training of the model of a transformer."""

import contextlib
import random
from collections.abc import Iterator

import keras
import numpy as np

from tfvae.data import Split, Splits
from tfvae.models import VAE
from tfvae.tables import Schema
from tfvae.training.beta import schedule_callbacks
from tfvae.training.build import build_vae
from tfvae.training.choices import drops_remainder
from tfvae.training.config import DataConfig, ModelConfig, RunConfig, TrainingConfig
from tfvae.training.resolve import resolve

_NAME = "X"
_VALIDATION_BATCH_SIZE = 500


def trained(
    rows: np.ndarray,
    observed: np.ndarray,
    schema: Schema,
    *,
    model: ModelConfig,
    training: TrainingConfig,
    sample_weight: np.ndarray | None,
    validation_fraction: float,
    verbose: int,
) -> tuple[VAE, dict[str, list[float]]]:
    """Trains a model of rows, as `tfvae train` builds it for a table.

    Args:
        rows: Numbers `[N, D]`, float32.
        observed: Boolean `[N, D]`, False at missing values.
        schema: The columns.
        model: Settings of the model.
        training: Settings of the training.
        sample_weight: Weights `[N]`, or None.
        validation_fraction: Share of the rows that choose the epoch. 0 keeps the last epoch.
        verbose: As for `fit` of Keras.

    Returns:
        The model and its metrics after each epoch.

    Raises:
        ValueError: If settings do not fit.
    """
    validation, train = _cut(len(rows), validation_fraction, training.seed)
    all_rows = Split(
        rows, name=_NAME, observed=None if observed.all() else observed, schema=schema, weight=sample_weight
    )
    splits = Splits(_NAME, all_rows.rows(train), all_rows.rows(validation) if len(validation) else None)
    config = resolve(RunConfig(DataConfig(name=_NAME), model, training), splits)
    callbacks: list[keras.callbacks.Callback] = schedule_callbacks(config.training.beta)
    if splits.validation is not None:
        callbacks.append(
            keras.callbacks.EarlyStopping(
                "val_elbo", mode="max", patience=config.training.epochs, restore_best_weights=True
            )
        )
    with _same_global_numbers():
        vae = build_vae(config, splits)
        history = vae.fit(
            splits.train.batches(
                config.training.batch_size,
                shuffle=True,
                seed=training.seed,
                drop_remainder=drops_remainder(config, splits.train),
            ),
            epochs=config.training.epochs,
            validation_data=None if splits.validation is None else splits.validation.batches(_VALIDATION_BATCH_SIZE),
            callbacks=callbacks,
            verbose=verbose,
        )
    return vae, history.history


def _cut(num_rows: int, validation_fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the places of the validation rows and of the training rows."""
    order = np.random.RandomState(seed).permutation(num_rows)
    num_validation = int(validation_fraction * num_rows)
    return order[:num_validation], order[num_validation:]


@contextlib.contextmanager
def _same_global_numbers() -> Iterator[None]:
    """Restores the global random states of Python and NumPy, which Keras seeds."""
    before, numpy_before = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(before)
        np.random.set_state(numpy_before)  # noqa: NPY002
