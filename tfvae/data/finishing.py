"""From stored values to x: scaling to float32, and the noise of a batch."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from tfvae.data import noise
from tfvae.data.examples import CONDITION, OBSERVED
from tfvae.data.requirements import Draw
from tfvae.typing import Tensor


class Stored(NamedTuple):
    """Examples as stored, and what goes with each of them.

    Attributes:
        raw: Stored values `[N, *event]`.
        condition: Conditions `[N, *shape]`, or None.
        observed: Boolean tensor of the shape of `raw`, False at missing values, or None.
        labels: Labels `[N]`, or None.
        weight: Weights `[N]`, or None.
    """

    raw: Any
    condition: Tensor | None = None
    observed: Tensor | None = None
    labels: Tensor | None = None
    weight: Tensor | None = None

    def map(self, fn: Callable[[Tensor], Tensor]) -> "Stored":
        """Applies a function to each part that is there."""
        return Stored(*(None if part is None else fn(part) for part in self))

    def element(self, x: Tensor) -> Any:
        """Returns an element of a dataset: x, (x, labels) or (x, labels, weight), with a dictionary for x if needed."""
        others = {CONDITION: self.condition, OBSERVED: self.observed}
        others = {name: part for name, part in others.items() if part is not None}
        found = {"x": x, **others} if others else x
        if self.weight is not None:  # which Keras ignores without y; NaN is an unknown label
            unknown = tf.zeros_like(self.weight) + math.nan
            return found, unknown if self.labels is None else self.labels, self.weight
        return found if self.labels is None else (found, self.labels)


@dataclasses.dataclass(frozen=True)
class Finish:
    """Makes a batch from rows of the stored examples, in any program that calls it.

    Attributes:
        num_levels: The number of levels of the examples.
        draw: "bernoulli", "dequantize" or None, as in `finish`.
    """

    num_levels: int | None
    draw: Draw | None

    def __call__(self, examples: Stored, batch: dict[str, Tensor]) -> Any:
        """Returns an element with x `[B, *event]` for stored `examples`, `rows` `[B]` and a `key` `[2]`."""
        rows = Stored(*examples).map(lambda part: tf.gather(part, batch["rows"]))
        return rows.element(finish(rows.raw, self.num_levels, self.draw, lambda: batch["key"]))


def finish(raw: Tensor, num_levels: int | None, draw: Draw | None, key: Callable[[], Any]) -> Any:
    """Scales a batch as stored to float32 and adds its noise.

    Args:
        raw: Stored values `[B, *event]`.
        num_levels: Their number of levels; None for floats.
        draw: "bernoulli" draws zeros and ones, "dequantize" adds uniform noise; None adds nothing.
        key: Returns the seed `[2]` of the noise; called only where there is some.
    """
    if draw == "bernoulli":
        return _bernoulli(raw, num_levels, key())
    if draw == "dequantize":
        cells = tf.bitwise.right_shift(
            _uniform_uint16(tf.shape(raw), key()), tf.constant(16 - noise.NOISE_BITS, tf.uint16)
        )
        u = (tf.cast(cells, tf.float32) + 0.5) / 2**noise.NOISE_BITS
        return (tf.cast(raw, tf.float32) + u) / num_levels
    if num_levels is None:
        return raw
    return tf.cast(raw, tf.float32) / (num_levels - 1)


def _bernoulli(raw: Tensor, num_levels: int | None, key: Tensor) -> Tensor:
    if num_levels is None:
        words = tf.random.stateless_uniform(tf.shape(raw), key, None, None, tf.uint32, alg="philox")
        return tf.cast(tf.cast(tf.bitwise.right_shift(words, 8), tf.float32) * 2.0**-24 < raw, tf.float32)
    # u / 2**16 < raw / (num_levels - 1), in integers: half the random bits and half the time of float32 uniforms.
    u = tf.cast(_uniform_uint16(tf.shape(raw), key), tf.int32)
    return tf.cast(u * (num_levels - 1) < tf.cast(raw, tf.int32) * 2**16, tf.float32)


def _uniform_uint16(shape: Tensor, key: Tensor) -> Tensor:
    size = tf.reduce_prod(shape)
    words = tf.random.stateless_uniform([(size + 1) // 2], key, None, None, tf.uint32, alg="philox")
    return tf.reshape(tf.reshape(tf.bitcast(words, tf.uint16), [-1])[:size], shape)
