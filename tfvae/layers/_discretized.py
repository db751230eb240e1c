"""A logistic variable rounded to a grid of pixel values, as a TFP distribution; its parts also serve mixtures."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.typing import Tensor

tfd = tfp.distributions

# Bins that a sum over all of them takes at a time: memory grows with this, and not with the number of bins.
_CHUNK = 16


class Discretized(tfp.distributions.Distribution):
    """One pixel of `num_bins` gray values k / (num_bins - 1): a logistic variable on [-1, 1], taken to the nearest.

    `log_prob` is the log of a probability mass. The first and the last value take the tails.

    Args:
        loc: location on the scale where black is -1 and white is 1.
        scale: scale of the logistic on that scale, positive; broadcasts against `loc`.
        num_bins: number of gray values, at least 2.
        validate_args: whether to check that the scale is positive and that values lie on the grid.
        allow_nan_stats: as every TFP distribution has it.
        name: likewise.

    Numerics:
        The mass of an inner bin with ends a < b in units of the scale is sigma(b) sigma(-a) (1 - exp(-(b - a))), a
        product of positive numbers whose logs are added: nothing cancels and nothing is clipped.
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
        return [tf.debugging.assert_positive(self.scale, message="The scale of a discretized logistic is positive.")]

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
            # Of the inner bins, which are equally wide, the one nearest to the centre; the tails may still win.
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
    """The properties of a scale: positive, by way of a softplus."""
    return tfp.util.ParameterProperties(
        event_ndims, default_constraining_bijector_fn=lambda: tfp.bijectors.Softplus(), **kwargs
    )


def to_bin(value: Tensor, num_bins: int) -> Tensor:
    """The number k of the bin nearest to a value in [0, 1], as a float."""
    last = num_bins - 1
    return tf.clip_by_value(tf.round(value * last), 0.0, float(last))


def nearest_bin(position: Tensor, num_bins: int) -> Tensor:
    """The number k of the bin nearest to a position on the [-1, 1] scale, as a float."""
    return to_bin((position + 1) / 2, num_bins)


def to_position(k: Tensor, num_bins: int) -> Tensor:
    """The centre of bin k on the [-1, 1] scale; its ends are at k - 1/2 and k + 1/2."""
    last = num_bins - 1
    return (2 * k - last) / last


def assert_on_grid(value: Tensor, num_bins: int) -> list[Any]:
    """An assertion that every value is a k / (num_bins - 1), to a hundredth of a bin."""
    off = tf.abs(value * (num_bins - 1) - to_bin(value, num_bins))
    message = f"With validate_args, values lie on the grid k / {num_bins - 1}, k = 0 ... {num_bins - 1}."
    return [tf.debugging.assert_less(off, tf.constant(0.01, off.dtype), message=message)]


def log_mass(k: Tensor, loc: Tensor, scale: Tensor, num_bins: int) -> Tensor:
    """The log probability of bin k under a logistic on the [-1, 1] scale; the arguments broadcast."""
    # A bin's upper end is the next one's lower end to the last bit, else narrow scales would see gaps between bins.
    log_below = tf.math.log_sigmoid((to_position(k + 0.5, num_bins) - loc) / scale)  # log P(no higher than the bin)
    log_above = tf.math.log_sigmoid((loc - to_position(k - 0.5, num_bins)) / scale)  # log P(no lower than the bin)
    inner = log_below + log_above + _log_one_minus_exp_minus(2 / (num_bins - 1) / scale)
    return tf.where(k < 0.5, log_below, tf.where(k > num_bins - 1.5, log_above, inner))


def mean(loc: Tensor, scale: Tensor, num_bins: int) -> Tensor:
    """The exact mean, on the [0, 1] scale of the pixels."""
    offset, _ = _centered_moments(loc, scale, num_bins)
    return (_center(_broadcast(loc, scale)[0], num_bins) + offset) / (num_bins - 1)


def _log_one_minus_exp_minus(x: Tensor) -> Tensor:
    """log(1 - exp(-x)) for x > 0, to full precision and with a finite gradient at both ends."""
    small, large = tf.minimum(x, 0.7), tf.maximum(x, 0.7)  # either is safe where the other is meant
    return tf.where(x < 0.7, tf.math.log(-tf.math.expm1(-small)), tf.math.log1p(-tf.exp(-large)))


def _broadcast(loc: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    shape = tf.broadcast_dynamic_shape(tf.shape(loc), tf.shape(scale))
    static = tf.broadcast_static_shape(loc.shape, scale.shape)
    return tf.ensure_shape(tf.broadcast_to(loc, shape), static), tf.ensure_shape(tf.broadcast_to(scale, shape), static)


def _center(loc: Tensor, num_bins: int) -> Tensor:
    # A bin in the middle of the distribution, about which its moments lose no digits however narrow it is.
    return tf.stop_gradient(nearest_bin(loc, num_bins))


def _centered_moments(loc: Tensor, scale: Tensor, num_bins: int) -> list[Tensor]:
    """E[k - c] and E[(k - c)^2] for c = `_center(loc)`, as sums of the tail probabilities on either side of c."""

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
    """The sums over k = 0 ... count - 1 of the tensors in `terms(k, *arguments)`, some k at a time in either pass.

    Args:
        terms: takes k `[chunk]` and the arguments with a last axis of 1.
        count: how many k there are.
        arguments: tensors of one shape, which is that of every sum.
        num_sums: how many tensors `terms` gives.
    """
    num_chunks = -(-count // _CHUNK)

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
        k = tf.range(_CHUNK) + i * _CHUNK
        is_one = tf.cast(k < count, arguments[0].dtype)
        values = terms(tf.cast(k, arguments[0].dtype), *(t[..., tf.newaxis] for t in arguments))
        return [tf.reduce_sum(is_one * value, axis=-1) for value in values]

    @tf.custom_gradient
    def sums(*arguments: Tensor) -> tuple[list[Tensor], Any]:
        def gradient(*upstream: Tensor) -> list[Tensor]:
            # Each chunk is computed again instead of being kept from the forward pass.
            def step(i: Tensor) -> Sequence[Tensor]:
                with tf.GradientTape() as tape:
                    tape.watch(arguments)
                    values = chunk(i, arguments)
                return tape.gradient(values, arguments, upstream, unconnected_gradients="zero")

            return loop(step, arguments)

        return loop(lambda i: chunk(i, arguments), [arguments[0]] * num_sums), gradient

    return sums(*arguments)
