"""Increasing rational-quadratic splines, written as deviations from the identity."""

from typing import NamedTuple

import tensorflow as tf

from tfvae._numerics import softly_bounded
from tfvae.typing import Tensor

# The smallest width and height of a bin, relative to equal bins. This and the next bound keep the inverse accurate in
# float32.
_SMALLEST = 0.1
# Bound on the absolute log slope at a knot.
_LOG_SLOPE_BOUND = 2.0


class Bins(NamedTuple):
    """The bins of a spline of the interval [-bound, bound], all relative to K equal bins and slope one.

    Attributes:
        width: Relative width of each bin minus one, `[..., K]`; the sum is zero.
        height: Relative height of each bin minus one, `[..., K]`; the sum is zero.
        slope: Slope at each knot minus one, `[..., K + 1]`; zero at both ends.
        bound: The bound.
    """

    width: Tensor
    height: Tensor
    slope: Tensor
    bound: float

    @property
    def step(self) -> float:
        """The width of equal bins."""
        return 2 * self.bound / self.width.shape[-1]


def bins_of(raw: Tensor, num_bins: int, bound: float) -> Bins:
    """Maps raw parameters `[..., 3 K - 1]` to bins; zeros to equal bins and slopes of exactly one."""
    width, height, slope = tf.split(raw, [num_bins, num_bins, num_bins - 1], axis=-1)
    slope = tf.math.expm1(softly_bounded(slope, _LOG_SLOPE_BOUND))
    ends = tf.zeros_like(raw[..., :1])
    return Bins(_relative(width), _relative(height), tf.concat([ends, slope, ends], axis=-1), bound)


def _relative(raw: Tensor) -> Tensor:
    """Returns K softmax(raw) - 1, moved towards zero so that no bin is smaller than _SMALLEST."""
    share = tf.exp(raw - tf.stop_gradient(tf.reduce_max(raw, axis=-1, keepdims=True)))
    total = tf.reduce_sum(share, axis=-1, keepdims=True)
    # For equal shares, K times one minus the sum of K ones: exactly zero in any order of the sum.
    return (1 - _SMALLEST) * (raw.shape[-1] * share - total) / total


def forward(x: Tensor, bins: Bins) -> tuple[Tensor, Tensor]:
    """Computes y and log dy/dx of x `[...]`, one element for each spline; the identity outside the bounds."""
    inside, clipped = tf.abs(x) < bins.bound, tf.clip_by_value(x, -bins.bound, bins.bound)
    here = _bin_at(clipped, bins, bins.width)
    moved, log_slope = _deviation((clipped - here.left) / here.width, here)
    zero = tf.zeros([], x.dtype)
    return x + tf.where(inside, moved, zero), tf.where(inside, log_slope, zero)


def inverse(y: Tensor, bins: Bins) -> tuple[Tensor, Tensor]:
    """Computes x and log dy/dx at it from y `[...]`, by a quadratic equation."""
    inside, clipped = tf.abs(y) < bins.bound, tf.clip_by_value(y, -bins.bound, bins.bound)
    here = _bin_at(clipped, bins, bins.height)
    slope, height, rise = 1 + here.steeper, here.width * (1 + here.steeper), clipped - here.bottom
    bend = rise * here.bend
    a = height * (here.steeper - here.left_slope) + bend
    b = height * (1 + here.left_slope) - bend
    # The form of the root that does not subtract nearly equal numbers.
    position = 2 * slope * rise / (b + tf.sqrt(b**2 + 4 * a * slope * rise))
    moved, log_slope = _deviation(position, here)
    zero = tf.zeros([], y.dtype)
    return y - tf.where(inside, moved, zero), tf.where(inside, log_slope, zero)


class _Bin(NamedTuple):
    """The bin of each element, all `[...]`: its corner, and how its slopes differ from one."""

    left: Tensor
    bottom: Tensor
    bottom_minus_left: Tensor
    width: Tensor
    steeper: Tensor  # height / width - 1
    left_slope: Tensor  # minus one, as the next
    right_slope: Tensor

    @property
    def bend(self) -> Tensor:
        return self.right_slope + self.left_slope - 2 * self.steeper


def _bin_at(values: Tensor, bins: Bins, sizes: Tensor) -> _Bin:
    """Finds the bins of values `[...]` by their widths or heights."""
    step, num_bins = bins.step, sizes.shape[-1]
    inner = tf.range(1, num_bins, dtype=values.dtype) + tf.cumsum(tf.stop_gradient(sizes), axis=-1)[..., :-1]
    # Comparisons and sums instead of a search and gathers, whose gradients are slow.
    past = tf.cast(values[..., tf.newaxis] >= step * inner - bins.bound, values.dtype)  # [..., K - 1]
    one, none = tf.ones_like(past[..., :1]), tf.zeros_like(past[..., :1])
    chosen = tf.concat([one, past], axis=-1) - tf.concat([past, none], axis=-1)  # [..., K]

    def pick(of_bins: Tensor) -> Tensor:
        return tf.reduce_sum(chosen * of_bins, axis=-1)

    corner = step * tf.reduce_sum(past, axis=-1) - bins.bound
    left = step * tf.reduce_sum(past * bins.width[..., :-1], axis=-1)
    bottom = step * tf.reduce_sum(past * bins.height[..., :-1], axis=-1)
    width, height = pick(bins.width), pick(bins.height)
    return _Bin(
        left=corner + left,
        bottom=corner + bottom,
        bottom_minus_left=bottom - left,
        width=step * (1 + width),
        steeper=(height - width) / (1 + width),
        left_slope=pick(bins.slope[..., :-1]),
        right_slope=pick(bins.slope[..., 1:]),
    )


def _deviation(position: Tensor, here: _Bin) -> tuple[Tensor, Tensor]:
    """Computes y - x and log dy/dx at a position in [0, 1] of the bin.

    With deviations from slope one as factors, both are exactly zero for equal bins and slopes of one.
    """
    rest, slope = 1 - position, 1 + here.steeper
    both = position * rest
    bent = here.bend * both / slope
    numerator = here.steeper * position + here.left_slope * rest - bent
    moved = here.bottom_minus_left + here.width * position * numerator / (1 + bent)
    of_slope = here.right_slope * position**2 + 2 * here.steeper * both + here.left_slope * rest**2
    return moved, tf.math.log1p(of_slope) - 2 * tf.math.log1p(bent)
