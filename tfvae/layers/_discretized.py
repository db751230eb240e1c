"""Logistic distribution rounded to a grid of pixel values, and functions that mixtures of it share."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.typing import Tensor

tfd = tfp.distributions

# Number of bins that a sum over all bins processes at a time. Memory grows with it, not with the number of bins.
_CHUNK_SIZE = 16


class Discretized(tfp.distributions.Distribution):
    """Logistic variable on [-1, 1], rounded to the nearest of `num_bins` pixel values k / (num_bins - 1).

    `log_prob` is the log of a probability mass. The first and the last value include the tails.

    Args:
        loc: Location on a scale from -1 (black) to 1 (white).
        scale: Scale of the logistic distribution on that scale. Positive; it broadcasts against `loc`.
        num_bins: Number of pixel values, at least 2.
        validate_args: Whether to check that the scale is positive and that values lie on the grid.
        allow_nan_stats: See `tfd.Distribution`.
        name: See `tfd.Distribution`.

    Numerics:
        The mass of an inner bin with edges a < b, in units of the scale, is sigma(b) sigma(-a) (1 - exp(-(b - a))).
        This is a product of positive numbers, so its log is a sum without cancellation or clipping.
    """

    def __init__(
        self,
        loc: Tensor,
        scale: Tensor,
        num_bins: int = 256,
        validate_args: bool = False,
        allow_nan_stats: bool = True,
        name: str = "Discretized",
    ):
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            self.loc = tf.convert_to_tensor(loc, name="loc")
            self.scale = tf.convert_to_tensor(scale, dtype=self.loc.dtype, name="scale")
            self.num_bins = num_bins
            super().__init__(
                dtype=self.loc.dtype,
                reparameterization_type=tfd.NOT_REPARAMETERIZED,
                validate_args=validate_args,
                allow_nan_stats=allow_nan_stats,
                parameters=parameters,
                name=name,
            )

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: int | None = None) -> dict[str, Any]:
        return {"loc": tfp.util.ParameterProperties(), "scale": scale_properties()}

    def _event_shape(self) -> tf.TensorShape:
        return tf.TensorShape([])

    def _event_shape_tensor(self) -> Tensor:
        return tf.constant([], tf.int32)

    def _parameter_control_dependencies(self, is_init: bool) -> list[Any]:
        if not (self.validate_args and is_init):
            return []
        return [tf.debugging.assert_positive(self.scale, message="`scale` must be positive.")]

    def _sample_control_dependencies(self, value: Tensor) -> list[Any]:
        return assert_on_grid(value, self.num_bins) if self.validate_args else []

    def _log_prob(self, value: Tensor) -> Tensor:
        return log_mass(to_bin(value, self.num_bins), self.loc, self.scale, self.num_bins)

    def _sample_n(self, n: Tensor, seed: Any = None) -> Tensor:
        value = tfd.Logistic(self.loc, self.scale).sample(n, seed=seed)
        return nearest_bin(value, self.num_bins) / (self.num_bins - 1)

    def _mean(self) -> Tensor:
        return mean(self.loc, self.scale, self.num_bins)

    def _variance(self) -> Tensor:
        offset, square = _centered_moments(self.loc, self.scale, self.num_bins)
        return (square - offset**2) / (self.num_bins - 1) ** 2

    def _mode(self) -> Tensor:
        last = self.num_bins - 1
        loc, scale = _broadcast(self.loc, self.scale)
        candidates = [tf.zeros_like(loc), tf.fill(tf.shape(loc), tf.constant(last, loc.dtype))]
        if self.num_bins > 2:
            # The inner bins have equal widths, so the largest mass is at the centre; a tail may have more.
            candidates.append(tf.clip_by_value(nearest_bin(loc, self.num_bins), 1.0, last - 1.0))
        masses = tf.stack([log_mass(k, loc, scale, self.num_bins) for k in candidates])
        best = tf.argmax(masses)
        return sum(tf.where(tf.equal(best, i), k, 0.0) for i, k in enumerate(candidates)) / last

    def _entropy(self) -> Tensor:
        def terms(k: Tensor, loc: Tensor, scale: Tensor) -> list[Tensor]:
            log_p = log_mass(k, loc, scale, self.num_bins)
            return [-tf.exp(log_p) * log_p]

        return _sum_over(terms, self.num_bins, _broadcast(self.loc, self.scale), 1)[0]


def scale_properties(event_ndims: int = 0, **kwargs: Any) -> Any:
    """Returns the properties of a scale parameter, which a softplus constrains to be positive."""
    return tfp.util.ParameterProperties(
        event_ndims, default_constraining_bijector_fn=lambda: tfp.bijectors.Softplus(), **kwargs
    )


def to_bin(value: Tensor, num_bins: int) -> Tensor:
    """Returns the index k of the bin nearest to a value in [0, 1], as a float."""
    last = num_bins - 1
    return tf.clip_by_value(tf.round(value * last), 0.0, float(last))


def nearest_bin(position: Tensor, num_bins: int) -> Tensor:
    """Returns the index k of the bin nearest to a position on the [-1, 1] scale, as a float."""
    return to_bin((position + 1) / 2, num_bins)


def to_position(k: Tensor, num_bins: int) -> Tensor:
    """Returns the centre of bin k on the [-1, 1] scale; its edges are at k - 1/2 and k + 1/2."""
    last = num_bins - 1
    return (2 * k - last) / last


def assert_on_grid(value: Tensor, num_bins: int) -> list[Any]:
    """Asserts that every value lies on the grid k / (num_bins - 1), within a hundredth of a bin."""
    off = tf.abs(value * (num_bins - 1) - to_bin(value, num_bins))
    message = f"With `validate_args=True`, values must lie on the grid k / {num_bins - 1}, k = 0 ... {num_bins - 1}."
    return [tf.debugging.assert_less(off, tf.constant(0.01, off.dtype), message=message)]


def log_mass(k: Tensor, loc: Tensor, scale: Tensor, num_bins: int) -> Tensor:
    """Computes the log probability of bin k under a logistic on the [-1, 1] scale; the arguments broadcast."""
    # The upper edge of a bin equals the lower edge of the next one bit for bit; otherwise narrow scales find gaps.
    log_below = tf.math.log_sigmoid((to_position(k + 0.5, num_bins) - loc) / scale)  # log P(in or below the bin)
    log_above = tf.math.log_sigmoid((loc - to_position(k - 0.5, num_bins)) / scale)  # log P(in or above the bin)
    inner = log_below + log_above + _log_one_minus_exp_minus(2 / (num_bins - 1) / scale)
    return tf.where(k < 0.5, log_below, tf.where(k > num_bins - 1.5, log_above, inner))


def mean(loc: Tensor, scale: Tensor, num_bins: int) -> Tensor:
    """Computes the exact mean, on the [0, 1] scale of the pixels."""
    offset, _ = _centered_moments(loc, scale, num_bins)
    return (_center(_broadcast(loc, scale)[0], num_bins) + offset) / (num_bins - 1)


def _log_one_minus_exp_minus(x: Tensor) -> Tensor:
    """Computes log(1 - exp(-x)) for x > 0, with full precision and a finite gradient for small and large x."""
    small, large = tf.minimum(x, 0.7), tf.maximum(x, 0.7)  # safe inputs for the branch that is not selected
    return tf.where(x < 0.7, tf.math.log(-tf.math.expm1(-small)), tf.math.log1p(-tf.exp(-large)))


def _broadcast(loc: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    shape = tf.broadcast_dynamic_shape(tf.shape(loc), tf.shape(scale))
    static = tf.broadcast_static_shape(loc.shape, scale.shape)
    return tf.ensure_shape(tf.broadcast_to(loc, shape), static), tf.ensure_shape(tf.broadcast_to(scale, shape), static)


def _center(loc: Tensor, num_bins: int) -> Tensor:
    # Moments about a central bin lose no precision, even for narrow distributions.
    return tf.stop_gradient(nearest_bin(loc, num_bins))


def _centered_moments(loc: Tensor, scale: Tensor, num_bins: int) -> list[Tensor]:
    """Computes E[k - c] and E[(k - c)^2] for c = `_center(loc)`, as sums of tail probabilities on both sides of c."""

    def terms(j: Tensor, loc: Tensor, scale: Tensor) -> list[Tensor]:
        edge = j + 1.0  # between the bins edge - 1 and edge
        steps = 2 * (edge - _center(loc, num_bins)) - 1
        outward = tf.sign(steps)
        tail = tf.sigmoid(outward * (loc - to_position(edge - 0.5, num_bins)) / scale)
        return [outward * tail, tf.abs(steps) * tail]

    return _sum_over(terms, num_bins - 1, _broadcast(loc, scale), 2)


def _sum_over(
    terms: Callable[..., Sequence[Tensor]], count: int, arguments: Sequence[Tensor], num_sums: int
) -> list[Tensor]:
    """Sums the tensors in `terms(k, *arguments)` over k = 0 ... count - 1, in chunks in the forward and backward pass.

    Args:
        terms: Function of k `[chunk]` and the arguments with an extra last axis of 1.
        count: Number of values of k.
        arguments: Tensors of one shape, which is also the shape of every sum.
        num_sums: Number of tensors that `terms` returns.
    """
    num_chunks = -(-count // _CHUNK_SIZE)

    def loop(step: Callable[[Tensor], Sequence[Tensor]], like: Sequence[Tensor]) -> list[Tensor]:
        _, *sums = tf.while_loop(
            lambda i, *_: i < num_chunks,
            lambda i, *sums: (i + 1, *(a + b for a, b in zip(sums, step(i), strict=True))),
            (tf.constant(0), *(tf.zeros_like(t) for t in like)),
            maximum_iterations=num_chunks,
            parallel_iterations=1,
        )
        return sums

    def chunk(i: Tensor, arguments: Sequence[Tensor]) -> list[Tensor]:
        k = tf.range(_CHUNK_SIZE) + i * _CHUNK_SIZE
        is_one = tf.cast(k < count, arguments[0].dtype)
        values = terms(tf.cast(k, arguments[0].dtype), *(t[..., tf.newaxis] for t in arguments))
        return [tf.reduce_sum(is_one * value, axis=-1) for value in values]

    @tf.custom_gradient
    def sums(*arguments: Tensor) -> tuple[list[Tensor], Any]:
        def gradient(*upstream: Tensor) -> list[Tensor]:
            # Recomputes each chunk instead of storing it in the forward pass.
            def step(i: Tensor) -> Sequence[Tensor]:
                with tf.GradientTape() as tape:
                    tape.watch(arguments)
                    values = chunk(i, arguments)
                return tape.gradient(values, arguments, upstream, unconnected_gradients="zero")

            return loop(step, arguments)

        return loop(lambda i: chunk(i, arguments), [arguments[0]] * num_sums), gradient

    return sums(*arguments)
