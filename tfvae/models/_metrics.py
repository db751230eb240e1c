"""Running means that a model reports."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tfvae.estimators import Weighted
from tfvae.models.batch import Batch
from tfvae.models.objective import Loss
from tfvae.typing import Tensor


class ReplicatedMean(keras.metrics.Mean):
    """Mean that is equal on all replicas of a distribution strategy, because all add the same numbers to it.

    `keras.metrics.Mean` has one part per replica, and all workers have to sum the parts at the same time.
    """

    def add_variable(
        self, shape: Any, initializer: Any, dtype: Any = None, aggregation: str = "none", name: str | None = None
    ) -> keras.Variable:
        variable = keras.Variable(initializer, shape, dtype, trainable=False, aggregation=aggregation, name=name)
        self._tracker.add_to_store("variables", variable)
        return variable


class Reported(NamedTuple):
    """Number that a step reports.

    Attributes:
        name: Name of the metric.
        values: A loss, averaged over the batch, or a term per example `[B]`.
        weights: Weights of the term `[B]`. None if all examples count the same.
    """

    name: str
    values: Tensor
    weights: Tensor | None = None

    @property
    def is_loss(self) -> bool:
        """Whether this is a mean over the batch, which includes the sample weights."""
        return self.values.shape.rank == 0


def reported_by(loss: Loss, mean: Tensor, metric: str | None) -> list[Reported]:
    """Returns what an update reports: its terms, and its mean loss if `metric` is not None."""
    terms = [Reported(name, *(term if isinstance(term, Weighted) else (term,))) for name, term in loss.terms.items()]
    return terms if metric is None else [Reported(metric, mean), *terms]


def _weights(one: Reported, batch: Batch) -> Tensor | None:
    """Returns the weights with which a number counts: of the batch for a loss, of its examples for a term."""
    if one.is_loss:
        return batch.size
    if one.weights is None or batch.sample_weight is None:
        return batch.sample_weight if one.weights is None else one.weights
    return one.weights * tf.cast(batch.sample_weight, one.weights.dtype)


class RunningMeans:
    """Running means of losses and terms over examples. A smaller last batch has less weight.

    Args:
        names: Names of the terms that are known before the first step.

    Attributes:
        outside: Share of batches with values outside the support of the likelihood since the last `pop_outside`.
    """

    def __init__(self, names: Sequence[str]):
        self._means = {name: ReplicatedMean(name=name) for name in ("loss", *names)}
        self.outside = ReplicatedMean(name="outside")
        self._is_built = False

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The means, which Keras resets and reports."""
        return list(self._means.values())

    @property
    def is_built(self) -> bool:
        """Whether all means exist, which is the case after the first step or after `build`."""
        return self._is_built

    def build(self, reported: Sequence[Reported]) -> None:
        """Creates the means of the numbers that a step reports."""
        for one in reported:
            self.mean(one.name)
        self._is_built = True

    def mean(self, name: str) -> ReplicatedMean:
        """Returns the mean of a name. It is created at the first call."""
        if name not in self._means:
            with tf.init_scope():  # variables belong to no graph
                self._means[name] = ReplicatedMean(name=name)
        return self._means[name]

    def update(self, reported: Sequence[Reported], batch: Batch, is_outside: Tensor | None) -> dict[str, Tensor]:
        """Adds a step and returns the means.

        Args:
            reported: Numbers that the step reports.
            batch: The batch.
            is_outside: Whether the batch has values outside the support, as a scalar tensor. None if this is not
                checked.
        """
        if is_outside is not None:
            self.outside.update_state(is_outside)
        self.build(reported)
        for one in reported:
            self.mean(one.name).update_state(one.values, sample_weight=_weights(one, batch))
        return self._results()

    @staticmethod
    def sums(reported: Sequence[Reported], part: Batch, is_outside: Tensor) -> Tensor:
        """Returns the total and the count of each number reported for a part of a batch, `[num_reported + 2, 2]`.

        The last two rows count the parts with values outside the support of the likelihood, and the examples.
        """
        size = tf.cast(part.size, "float32")
        rows = []
        for one in reported:
            values = tf.cast(one.values, "float32")
            found = None if one.is_loss else _weights(one, part)
            weights = tf.ones([part.size]) if found is None else tf.cast(found, "float32")
            rows.append(
                [values * size, size] if one.is_loss else [tf.reduce_sum(values * weights), tf.reduce_sum(weights)]
            )
        rows += [[tf.cast(is_outside, "float32"), tf.ones_like(size)], [size, tf.ones_like(size)]]
        return tf.stack([tf.stack(row) for row in rows])

    def update_from_sums(self, reported: Sequence[Reported], sums: Tensor) -> dict[str, Tensor]:
        """Adds a step from the sums over all parts, without their last row, and returns the means."""
        metrics = [*(self.mean(one.name) for one in reported), self.outside]
        for metric, (total, count) in zip(metrics, (tf.unstack(row) for row in tf.unstack(sums)), strict=True):
            metric.update_state(tf.math.divide_no_nan(total, count), sample_weight=count)
        return self._results()

    def pop_outside(self) -> bool:
        """Returns whether any batch had values outside the support, and resets this state."""
        found = bool(self.outside.total > 0)
        if found:
            self.outside.reset_state()
        return found

    def _results(self) -> dict[str, Tensor]:
        return {name: mean.result() for name, mean in self._means.items()}
