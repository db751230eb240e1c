"""Distribution whose single batch axis is split into several axes."""

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.typing import Distribution, Tensor

tfd = tfp.distributions


class BatchUnflattened(tfp.distributions.Distribution):
    """Splits the batch axis `[N]` of `distribution` into the axes `batch_shape`, whose product is N.

    `tfd.BatchReshape` is similar, but does not broadcast a value against the batch axes, does not work in a graph with
    an unknown batch size, and rejects axes of length 0.

    Args:
        distribution: Distribution with one batch axis.
        batch_shape: An int32 tensor, the new batch shape.
    """

    def __init__(self, distribution: Distribution, batch_shape: Tensor):
        self._flat = distribution
        self._axes = tf.cast(tf.convert_to_tensor(batch_shape), tf.int32)
        super().__init__(
            dtype=distribution.dtype,
            reparameterization_type=distribution.reparameterization_type,
            validate_args=distribution.validate_args,
            allow_nan_stats=distribution.allow_nan_stats,
            parameters={"distribution": distribution, "batch_shape": batch_shape},
            name=distribution.name,
        )

    def _batch_shape(self) -> tf.TensorShape:
        static = tf.get_static_value(self._axes, partial=True)
        return tf.TensorShape([None] * self._axes.shape[0] if static is None else static)

    def _batch_shape_tensor(self, **_: Any) -> Tensor:
        return self._axes

    def _event_shape(self) -> tf.TensorShape:
        return self._flat.event_shape

    def _event_shape_tensor(self) -> Tensor:
        return self._flat.event_shape_tensor()

    def _unflatten(self, value: Tensor) -> Tensor:
        """Reshapes `[N, *rest]` to `[*batch_shape, *rest]`."""
        return tf.reshape(value, tf.concat([self._axes, tf.shape(value)[1:]], axis=0))

    def _sample_n(self, n: Tensor, seed: Any = None) -> Tensor:
        value = self._flat.sample(n, seed=seed)  # [n, N, *event]
        return tf.reshape(value, tf.concat([tf.shape(value)[:1], self._axes, tf.shape(value)[2:]], axis=0))

    def _log_prob(self, value: Tensor) -> Tensor:
        event = self._flat.event_shape_tensor()
        full = tf.broadcast_dynamic_shape(tf.shape(value), tf.concat([self._axes, event], axis=0))
        leading = full[: tf.size(full) - tf.size(self._axes) - tf.size(event)]
        flat = tf.concat([leading, [tf.reduce_prod(self._axes)], event], axis=0)
        log_prob = self._flat.log_prob(tf.reshape(tf.broadcast_to(value, full), flat))  # [*leading, N]
        return tf.reshape(log_prob, tf.concat([leading, self._axes], axis=0))

    def _mean(self) -> Tensor:
        return self._unflatten(self._flat.mean())

    def _mode(self) -> Tensor:
        return self._unflatten(self._flat.mode())

    def _stddev(self) -> Tensor:
        return self._unflatten(self._flat.stddev())

    def _variance(self) -> Tensor:
        return self._unflatten(self._flat.variance())

    def _entropy(self) -> Tensor:
        return self._unflatten(self._flat.entropy())
