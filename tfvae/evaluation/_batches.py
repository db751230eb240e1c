"""Batches of x to evaluate a model on."""

from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from tfvae._checks import whole_number
from tfvae.data import reading
from tfvae.data.examples import CONDITION
from tfvae.models import VAE, _inputs
from tfvae.models.batch import Batch
from tfvae.models.conditions import as_condition
from tfvae.typing import Tensor


def batches_of_x(vae: VAE, data: Any, batch_size: int | None) -> Iterator[Tensor]:
    """Yields batches of x `[B, *event]` in the model's precision, in order, each checked as `fit` does.

    Args:
        vae: The model.
        data: An array, a split or a dataset of batches, also with labels.
        batch_size: The number of examples taken from an array or a split at a time; None takes all.

    Raises:
        TypeError: If `data` is neither an array, a split nor a dataset.
        ValueError: If there are no examples, `fit` would refuse the data, or the model is conditional.
    """
    if vae.condition_shape is not None:
        raise ValueError(
            "This evaluation does not support conditional models. Use tfvae.evaluation.elbo, log_marginal or "
            f"active_units. Received: a model with conditions of shape {vae.condition_shape}"
        )
    yield from batches_of_examples(vae, data, batch_size)


def batches_of_examples(vae: VAE, data: Any, batch_size: int | None) -> Iterator[Any]:
    """Yields batches of x as `batches_of_x` does. For a conditional model, each is a `Batch` of x and its condition.

    Data of a conditional model are dictionaries with the keys "x" and "condition", or datasets of these.
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
        vae.check_data({"x": batch.x, CONDITION: batch.condition} if vae.condition_shape else batch.x)
        found = True
        x = tf.cast(batch.x, vae.variable_dtype)
        condition = as_condition(batch.condition, vae.condition_shape, vae.variable_dtype)
        yield x if condition is None else Batch(x, condition)
    if not found:
        raise ValueError("There are no examples to evaluate on.")


def first_batch_of_x(vae: VAE, data: Any, batch_size: int) -> Tensor:
    """The first of these batches; of an array, all of it."""
    return next(batches_of_x(vae, data, None if reading.in_memory(data) is not None else batch_size))
