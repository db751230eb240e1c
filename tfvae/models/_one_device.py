"""Steps of training and of evaluation on one device."""

from typing import Any

import tensorflow as tf

from tfvae._bijector_cache import released_graph
from tfvae.models._distributed import summed_already
from tfvae.typing import Tensor


def train_step(model: Any, data: Any) -> dict[str, Tensor]:
    """A step of gradient descent on the loss of a batch."""
    x, sample_weight = model._unpacked(data)
    with released_graph():
        with tf.GradientTape() as tape:
            estimate = model.estimate(x, training=True)
            loss = model.loss_of(estimate, sample_weight)
            scaled = model.optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled, model.trainable_variables)
    # There is one replica: Keras' sum over replicas would only register a gradient that is never freed.
    with summed_already(model.optimizer):
        model.optimizer.apply(gradients, model.trainable_variables)
    rows = model.execution.rows
    is_outside = None if rows is not None and rows.is_checked else model._is_outside(x)
    return model._bound_metrics.update(estimate, loss, sample_weight, is_outside)


def test_step(model: Any, data: Any) -> dict[str, Tensor]:
    """A step of evaluation."""
    x, sample_weight = model._unpacked(data)
    with released_graph():
        estimate = model.estimate(x, training=False)
    loss = model.loss_of(estimate, sample_weight)
    return model._bound_metrics.update(estimate, loss, sample_weight, model._is_outside(x))
