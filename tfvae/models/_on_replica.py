"""Training step on one of several replicas, with its part of the batch."""

import contextlib
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tfvae.execution.replicas import replica_seeds, sums_over_replicas
from tfvae.models._metrics import Reported, reported_by
from tfvae.models.batch import Batch
from tfvae.models.objective import Loss
from tfvae.typing import Tensor

# In the support of all likelihoods of images and of densities. The result for this example is not counted.
_FILL_VALUE = 0.5


class OnReplica:
    """Step on a replica, with the interface of `InOneProcess`.

    Args:
        model: Model created under the strategy.
        data: Part of a batch for this replica, which may be empty.
        training: Whether the step trains.

    Attributes:
        batch: Batch for the objective: the part, or one constant example if the part is empty.
    """

    def __init__(self, model: Any, data: Any, *, training: bool):
        self._model = model
        self._training = training
        self._part = model.batch_of(data)
        self._size = self._part.size
        self.batch = _filled(self._part)
        self._reported: list[Reported] = []
        self._sums: Any = None

    tracing = staticmethod(contextlib.nullcontext)  # replicas trace one after another and share TFP's cache

    def noise(self) -> contextlib.AbstractContextManager[None]:
        """Gives the replica its own random numbers."""
        return replica_seeds(self._model)

    def add(self, loss: Loss, metric: str | None = None, variables: Sequence[Any] = ()) -> Tensor:
        """Returns the mean loss over the part, or 0 for an empty part, and records it for the report."""
        loss = tf.nest.map_structure(lambda values: values[: self._size], loss)
        mean = self._model.loss_of(loss.values, self._part.sample_weight, variables)
        mean = tf.where(self._size > 0, mean, tf.zeros_like(mean))
        self._reported += reported_by(loss, mean, metric)
        return mean

    def mean_gradients(self, gradients: Sequence[Any], *, is_last: bool) -> Sequence[Any]:
        """Returns the gradients of the mean loss over the whole batch. The last update also sums the report."""
        sums = [self._times_size(gradient) for gradient in map(_dense, gradients)]
        if is_last:
            return self._summed_with_report(sums)
        *sums, size = sums_over_replicas([*sums, tf.cast(self._size, "float32")])
        return _divided(sums, size)

    def report(self) -> dict[str, Tensor]:
        """Adds the whole step to the running means and returns them."""
        if self._sums is None:  # the last update has no gradients
            self._summed_with_report([])
        return self._model.running_means.update_from_sums(self._reported, self._sums[:-1])

    def _summed_with_report(self, sums: Sequence[Any]) -> list[Any]:
        """Returns means over all replicas, and averages the statistics and the reported numbers with the same sum."""
        moved = self._statistics() if self._training else []
        statistics = [self._times_size(variable.value) for variable in moved]
        *found, self._sums = sums_over_replicas([*sums, *statistics, self._metric_sums()])
        means = _divided(found, self._sums[-1, 0])
        for variable, value in zip(moved, means[len(sums) :], strict=True):
            variable.assign(value)
        return means[: len(sums)]

    def _metric_sums(self) -> Tensor:
        is_outside = self._model.is_outside(self.batch.x)
        is_outside = tf.constant(False) if is_outside is None else is_outside
        return self._model.running_means.sums(self._reported, self._part, is_outside)

    def _times_size(self, mean: Any) -> Any:
        # The mean over the part is multiplied by its size, because a sum could overflow under float16 loss scaling.
        return None if mean is None else tf.math.multiply_no_nan(mean, tf.cast(self._size, mean.dtype))

    def _statistics(self) -> list[Any]:
        """Returns the variables that a step changes without gradients, such as those of batch normalisation.

        Variables of schedules are excluded, because the host assigns them.
        """
        others = {id(variable) for variable in self._model.scheduled_variables}
        others.update(id(v) for metric in self._model.metrics for v in metric.variables)
        return [v for v in self._model.non_trainable_variables if id(v) not in others and "float" in v.dtype]


def _filled(part: Batch) -> Batch:
    """Adds a constant example to an empty part, because statistics of an empty batch are not finite."""
    extra = tf.cast(part.size == 0, tf.int32)

    def fill(values: Tensor) -> Tensor:
        filling = tf.cast(_FILL_VALUE, values.dtype) if values.dtype.is_floating else tf.zeros([], values.dtype)
        padded = tf.pad(values, [[0, extra], *[[0, 0]] * (values.shape.rank - 1)], constant_values=filling)
        return tf.ensure_shape(padded, [None, *values.shape[1:]])

    return tf.nest.map_structure(lambda values: None if values is None else fill(values), part)


def _divided(sums: Sequence[Any], size: Tensor) -> list[Any]:
    return [None if total is None else total / tf.cast(size, total.dtype) for total in sums]


def _dense(gradient: Any) -> Any:
    return tf.convert_to_tensor(gradient) if isinstance(gradient, tf.IndexedSlices) else gradient
