"""Mixture distribution over the channels of one pixel, each rounded to a grid of values."""

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.layers._discretized import assert_on_grid, log_mass, mean, nearest_bin, scale_properties, to_bin, to_position
from tfvae.typing import Tensor

tfd = tfp.distributions


class DiscretizedMixture(tfp.distributions.Distribution):
    """Mixture of M components over one pixel with C channels, each with `num_bins` values in [0, 1].

    One component is drawn for the whole pixel. Within it, channel c is a logistic variable, rounded to the nearest
    value (`Discretized`). Its location is loc_c plus a linear function of the observed earlier channels.

    Args:
        logits: Logits of the components `[..., M]`.
        loc: Locations `[..., M, C]` on a scale from -1 (black) to 1 (white), for earlier channels equal to 0.
        scale: Positive scales `[..., M, C]`.
        coefficients: Coefficients `[..., M, C (C - 1) / 2]` of the earlier channels on that scale: of channel 0 for
            channel 1; of channels 0 and 1 for channel 2; and so on.
        num_bins: Number of values per channel, at least 2.
        validate_args: Whether to check that scales are positive and that values lie on the grid.
        allow_nan_stats: See `tfd.Distribution`.
        name: See `tfd.Distribution`.
    """

    def __init__(
        self,
        logits: Tensor,
        loc: Tensor,
        scale: Tensor,
        coefficients: Tensor,
        num_bins: int = 256,
        validate_args: bool = False,
        allow_nan_stats: bool = True,
        name: str = "DiscretizedMixture",
    ):
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            self.loc = tf.convert_to_tensor(loc, name="loc")
            dtype = self.loc.dtype
            self.logits = tf.convert_to_tensor(logits, dtype=dtype, name="logits")
            self.scale = tf.convert_to_tensor(scale, dtype=dtype, name="scale")
            self.coefficients = tf.convert_to_tensor(coefficients, dtype=dtype, name="coefficients")
            self.num_bins = num_bins
            super().__init__(
                dtype=dtype,
                reparameterization_type=tfd.NOT_REPARAMETERIZED,
                validate_args=validate_args,
                allow_nan_stats=allow_nan_stats,
                parameters=parameters,
                name=name,
            )

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: int | None = None) -> dict[str, Any]:
        return {
            "logits": tfp.util.ParameterProperties(1, shape_fn=_unknown_shape),
            "loc": tfp.util.ParameterProperties(2, shape_fn=_unknown_shape),
            "scale": scale_properties(2, shape_fn=_unknown_shape),
            "coefficients": tfp.util.ParameterProperties(2, shape_fn=_unknown_shape),
        }

    @property
    def _num_channels(self) -> int:
        return self.loc.shape[-1]

    def _event_shape(self) -> tf.TensorShape:
        return self.loc.shape[-1:]

    def _event_shape_tensor(self) -> Tensor:
        return tf.shape(self.loc)[-1:]

    def _parameter_control_dependencies(self, is_init: bool) -> list[Any]:
        if not (self.validate_args and is_init):
            return []
        return [tf.debugging.assert_positive(self.scale, message="`scale` must be positive.")]

    def _sample_control_dependencies(self, value: Tensor) -> list[Any]:
        return assert_on_grid(value, self.num_bins) if self.validate_args else []

    def _log_prob(self, value: Tensor) -> Tensor:
        k = to_bin(value, self.num_bins)[..., tf.newaxis, :]  # [..., 1, C]
        earlier = to_position(k, self.num_bins)
        loc = self.loc + tf.stack([self._shift(self.coefficients, earlier, c) for c in range(self._num_channels)], -1)
        log_p = tf.reduce_sum(log_mass(k, loc, self.scale, self.num_bins), axis=-1)  # [..., M]
        return tf.reduce_logsumexp(self._log_weights() + log_p, axis=-1)

    def _log_weights(self) -> Tensor:
        # TensorFlow's softmax supports at most five axes.
        return self.logits - tf.reduce_logsumexp(self.logits, axis=-1, keepdims=True)

    @staticmethod
    def _shift(coefficients: Tensor, earlier: Tensor, channel: int) -> Tensor:
        """Computes the shift of a channel's loc by the positions of the channels before it.

        Args:
            coefficients: Coefficients `[..., C (C - 1) / 2]`.
            earlier: Positions `[..., >= channel]`, of which the first `channel` are used.
            channel: Index of the channel.
        """
        first = channel * (channel - 1) // 2
        return tf.reduce_sum(coefficients[..., first : first + channel] * earlier[..., :channel], axis=-1)

    def _sample_n(self, n: Tensor, seed: Any = None) -> Tensor:
        component_seed, noise_seed = tf.unstack(tfp.random.split_seed(seed, n=2, salt="DiscretizedMixture"), num=2)
        batch_shape = self.batch_shape_tensor()
        num_components = tf.shape(self.logits)[-1:]
        logits = tf.broadcast_to(self.logits, tf.concat([batch_shape, num_components], axis=0))
        one = tf.ones([], self.dtype)
        component = tf.argmax(tfd.Gumbel(logits, one).sample(n, seed=component_seed), axis=-1)  # [n, ...]
        is_drawn = tf.one_hot(component, num_components[0], dtype=self.dtype)[..., tf.newaxis]  # [n, ..., M, 1]
        loc, scale, coefficients = (
            tf.reduce_sum(is_drawn * t, axis=-2) for t in (self.loc, self.scale, self.coefficients)
        )
        shape = tf.concat([[n], batch_shape, self.event_shape_tensor()], axis=0)
        noise = scale * tfd.Logistic(tf.zeros_like(one), one).sample(shape, seed=noise_seed)
        bins: list[Tensor] = []
        for c in range(self._num_channels):
            center = loc[..., c]
            if c:
                center += self._shift(coefficients, to_position(tf.stack(bins, axis=-1), self.num_bins), c)
            bins.append(nearest_bin(center + noise[..., c], self.num_bins))
        return tf.stack(bins, axis=-1) / (self.num_bins - 1)

    def _mean(self) -> Tensor:
        means: list[Tensor] = []  # means of each channel per component, [..., M]
        for c in range(self._num_channels):
            center = self.loc[..., c]
            if c:
                center += self._shift(self.coefficients, 2 * tf.stack(means, axis=-1) - 1, c)
            means.append(mean(center, self.scale[..., c], self.num_bins))
        weights = tf.exp(self._log_weights())[..., tf.newaxis]
        return tf.reduce_sum(weights * tf.stack(means, axis=-1), axis=-2)


def _unknown_shape(sample_shape: Any) -> Any:
    raise NotImplementedError("The number of components cannot be inferred from the shape of a sample.")
