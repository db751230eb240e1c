"""The running means that a model reports."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tfvae.models.batch import Batch
from tfvae.models.objective import Loss
from tfvae.typing import Tensor


class ReplicatedMean(keras.metrics.Mean):
    """A mean that under a distribution strategy is the same on all replicas, which add the same numbers to it.

    Keras' own is in parts, whose sum all workers have to ask for at the same time.
    """

    def add_variable(
        self, shape: Any, initializer: Any, dtype: Any = None, aggregation: str = "none", name: str | None = None
    ) -> keras.Variable:
        variable = keras.Variable(initializer, shape, dtype, trainable=False, aggregation=aggregation, name=name)
        self._tracker.add_to_store("variables", variable)
        return variable


class Reported(NamedTuple):
    """One number that a step reports.

    Attributes:
        name: Name of the metric.
        values: A loss, the mean over the batch, or a term of each example `[B]`.
    """

    name: str
    values: Tensor

    @property
    def is_loss(self) -> bool:
        """Whether this is a mean over the batch, in which sample weights count already."""
        return self.values.shape.rank == 0


def reported_by(loss: Loss, mean: Tensor, metric: str | None) -> list[Reported]:
    """Returns what an update reports: its mean loss under the name of a metric, where there is one, and its terms."""
    terms = [Reported(name, values) for name, values in loss.terms.items()]
    return terms if metric is None else [Reported(metric, mean), *terms]


class RunningMeans:
    """The losses and terms of the steps, true means over examples: a smaller last batch counts less.

    Args:
        names: Names of the terms that are known before the first step.

    Attributes:
        outside: The share of batches with values outside the likelihood's support, since `pop_outside`.
    """

    def __init__(self, names: Sequence[str]):
        self._means = {name: ReplicatedMean(name=name) for name in ("loss", *names)}
        self.outside = ReplicatedMean(name="outside")
        self._is_built = False

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The means; Keras resets and reports them."""
        return list(self._means.values())

    @property
    def is_built(self) -> bool:
        """Whether all means are made; they are after the first step, or after `build`."""
        return self._is_built

    def build(self, reported: Sequence[Reported]) -> None:
        """Makes the means of what a step reports."""
        for one in reported:
            self.mean(one.name)
        self._is_built = True

    def mean(self, name: str) -> ReplicatedMean:
        """Returns a mean by its name, which it makes the first time."""
        if name not in self._means:
            with tf.init_scope():  # variables belong to no graph
                self._means[name] = ReplicatedMean(name=name)
        return self._means[name]

    def update(self, reported: Sequence[Reported], batch: Batch, is_outside: Tensor | None) -> dict[str, Tensor]:
        """Adds a step, and returns the means.

        Args:
            reported: What the step reports.
            batch: The batch.
            is_outside: Whether it has values outside the likelihood's support, a scalar; None where there are none.
        """
        if is_outside is not None:
            self.outside.update_state(is_outside)
        self.build(reported)
        for one in reported:
            self.mean(one.name).update_state(
                one.values, sample_weight=batch.size if one.is_loss else batch.sample_weight
            )
        return self._results()

    @staticmethod
    def sums(reported: Sequence[Reported], part: Batch, is_outside: Tensor) -> Tensor:
        """Returns total and count of each number that a part of a batch reports, `[num_reported + 2, 2]`.

        The last rows count the parts with values outside the likelihood's support, and the examples.
        """
        size = tf.cast(part.size, "float32")
        weights = tf.ones([part.size]) if part.sample_weight is None else tf.cast(part.sample_weight, "float32")
        count = tf.reduce_sum(weights)
        rows = []
        for one in reported:
            values = tf.cast(one.values, "float32")
            rows.append([values * size, size] if one.is_loss else [tf.reduce_sum(values * weights), count])
        rows += [[tf.cast(is_outside, "float32"), tf.ones_like(count)], [size, tf.ones_like(count)]]
        return tf.stack([tf.stack(row) for row in rows])

    def update_from_sums(self, reported: Sequence[Reported], sums: Tensor) -> dict[str, Tensor]:
        """Adds a step, given the sums over all parts without their last row, and returns the means."""
        metrics = [*(self.mean(one.name) for one in reported), self.outside]
        for metric, (total, count) in zip(metrics, (tf.unstack(row) for row in tf.unstack(sums)), strict=True):
            metric.update_state(tf.math.divide_no_nan(total, count), sample_weight=count)
        return self._results()

    def pop_outside(self) -> bool:
        """Whether any batch was outside the support; forgets it."""
        found = bool(self.outside.total > 0)
        if found:
            self.outside.reset_state()
        return found

    def _results(self) -> dict[str, Tensor]:
        return {name: mean.result() for name, mean in self._means.items()}
