"""A step on one of several replicas, which has a part of the batch."""

import contextlib
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tfvae.execution.replicas import own_noise, sums_over_replicas
from tfvae.models._metrics import Reported, reported_by
from tfvae.models.batch import Batch
from tfvae.models.objective import Loss
from tfvae.typing import Tensor

# In the support of all likelihoods of images and of densities; what it gives is not counted.
_FILLING = 0.5


class OnReplica:
    """A replica's half of a step; see `InOneProcess`.

    Args:
        model: The model, made under the strategy.
        data: The replica's part of a batch, which may be empty.
        training: Whether the step trains.

    Attributes:
        batch: What the objective gets: the part, or one filled-in example for an empty one.
    """

    def __init__(self, model: Any, data: Any, *, training: bool):
        self._model = model
        self._training = training
        self._part = model.batch_of(data)
        self._size = self._part.size
        self.batch = _filled(self._part)
        self._reported: list[Reported] = []
        self._sums: Any = None

    tracing = staticmethod(contextlib.nullcontext)  # replicas trace in turns, and share TFP's cache

    def noise(self) -> contextlib.AbstractContextManager[None]:
        """Gives the replica random numbers of its own."""
        return own_noise(self._model)

    def add(self, loss: Loss, metric: str | None = None, variables: Sequence[Any] = ()) -> Tensor:
        """Returns the mean loss over the part, 0 for an empty one, and notes it for the report."""
        loss = tf.nest.map_structure(lambda values: values[: self._size], loss)
        mean = self._model.loss_of(loss.values, self._part.sample_weight, variables)
        mean = tf.where(self._size > 0, mean, tf.zeros_like(mean))
        self._reported += reported_by(loss, mean, metric)
        return mean

    def mean_gradients(self, gradients: Sequence[Any], *, is_last: bool) -> Sequence[Any]:
        """Returns the gradients of the mean loss over the whole batch; the last update brings the report with it."""
        sums = [self._times_size(gradient) for gradient in map(_dense, gradients)]
        if is_last:
            return self._summed_with_report(sums)
        *sums, size = sums_over_replicas([*sums, tf.cast(self._size, "float32")])
        return _divided(sums, size)

    def report(self) -> dict[str, Tensor]:
        """Adds the whole step to the running means, and returns them."""
        if self._sums is None:  # no update came last that has gradients
            self._summed_with_report([])
        return self._model.running_means.update_from_sums(self._reported, self._sums[:-1])

    def _summed_with_report(self, sums: Sequence[Any]) -> list[Any]:
        """Returns means over all replicas, after it has done the same with statistics and with what is reported."""
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
        # A mean over the part, times its size: under a loss scale of float16 a sum could overflow.
        return None if mean is None else tf.math.multiply_no_nan(mean, tf.cast(self._size, mean.dtype))

    def _statistics(self) -> list[Any]:
        """Returns the variables that a step moves other than by gradients, such as those of a batch normalisation.

        Those of schedules are moved on the host.
        """
        others = {id(variable) for variable in self._model.scheduled_variables}
        others.update(id(v) for metric in self._model.metrics for v in metric.variables)
        return [v for v in self._model.non_trainable_variables if id(v) not in others and "float" in v.dtype]


def _filled(part: Batch) -> Batch:
    """A part with an example filled in where it is empty: statistics of an empty batch would not be finite."""
    extra = tf.cast(part.size == 0, tf.int32)

    def fill(values: Tensor) -> Tensor:
        filling = tf.cast(_FILLING, values.dtype) if values.dtype.is_floating else tf.zeros([], values.dtype)
        padded = tf.pad(values, [[0, extra], *[[0, 0]] * (values.shape.rank - 1)], constant_values=filling)
        return tf.ensure_shape(padded, [None, *values.shape[1:]])

    return tf.nest.map_structure(lambda values: None if values is None else fill(values), part)


def _divided(sums: Sequence[Any], size: Tensor) -> list[Any]:
    return [None if total is None else total / tf.cast(size, total.dtype) for total in sums]


def _dense(gradient: Any) -> Any:
    return tf.convert_to_tensor(gradient) if isinstance(gradient, tf.IndexedSlices) else gradient
