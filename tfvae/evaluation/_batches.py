"""Batches of x to evaluate a model on."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tfvae._checks import whole_number
from tfvae.data import reading
from tfvae.data.examples import CONDITION, OBSERVED
from tfvae.evaluation.record import NUM_OBSERVED
from tfvae.models import VAE, _inputs
from tfvae.models.batch import Batch
from tfvae.typing import Tensor


def batches_of_examples(vae: VAE, data: Any, batch_size: int | None) -> Iterator[Tensor | Batch]:
    """Yields batches of x `[B, *event]` in the model's precision, in order, each checked as `fit` does.

    If there is a condition or values may be missing, they are a `Batch`. Such data are a split, dictionaries with the
    keys "x", "condition" and "observed", or data sets of these.

    Args:
        vae: The model.
        data: An array, a split or a dataset of batches, also with labels.
        batch_size: The number of examples taken from an array or a split at a time; None takes all.

    Raises:
        TypeError: If `data` is neither an array, a split nor a dataset.
        ValueError: If there are no examples, or `fit` would refuse the data.
    """
    batch_size = None if batch_size is None else whole_number(batch_size, "batch_size")
    if reading.is_endless(data):
        raise ValueError("This data set repeats for ever. Evaluate on a part of it: data.take(number of batches).")
    found = False
    batches = reading.batches(data, batch_size)
    while True:
        with _inputs.reporting_shapes(vae.event_shape):
            batch = next(batches, None)
        if batch is None:
            break
        given = {"x": batch.x, CONDITION: batch.condition, OBSERVED: batch.observed}
        given = {name: part for name, part in given.items() if part is not None}
        vae.check_data(given if len(given) > 1 else batch.x)
        found = True
        checked = vae.batch_of(given)
        yield checked.x if checked.condition is None and checked.observed is None else checked
    if not found:
        raise ValueError("There are no examples to evaluate on.")


def num_observed(x: Tensor | Batch) -> list[np.ndarray]:
    """Returns a list of the numbers of observed values `[B]` of a batch, empty if no value can be missing."""
    if not isinstance(x, Batch) or x.observed is None:
        return []
    return [x.observed.numpy().reshape(len(x.observed), -1).sum(axis=1)]


def details_of(counts: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Returns the detail `num_observed` of a record, from what `num_observed` returns for its batches."""
    return {NUM_OBSERVED: np.concatenate(counts)} if counts else {}


def first_batch_of_examples(vae: VAE, data: Any, batch_size: int) -> Tensor | Batch:
    """The first of these batches; of an array, all of it."""
    return next(batches_of_examples(vae, data, None if reading.in_memory(data) is not None else batch_size))
