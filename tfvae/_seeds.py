"""Stateless seeds: every random number in tfvae is a function of an int32 seed of shape `[2]`."""

import numbers

import keras
import tensorflow as tf
import tensorflow_probability as tfp
from keras.src.backend.common.stateless_scope import in_stateless_scope

from tfvae.typing import Seed, Tensor


def stateless_seed(seed: Seed) -> Tensor:
    """Converts a seed to the int32 tensor `[2]` of stateless samplers.

    Args:
        seed: A Python int (the same int always gives the same numbers), an integer tensor or pair of shape [2], a
            `keras.random.SeedGenerator` (which is advanced by one), or None for a new random seed in each call.

    Raises:
        ValueError: If a tensor has another shape.
    """
    if seed is None:
        return tfp.random.sanitize_seed(None)
    if isinstance(seed, keras.random.SeedGenerator | TracedSeeds):
        return tf.cast(seed.next(), tf.int32)
    if isinstance(seed, numbers.Integral):
        bits = int(seed) & 0xFFFF_FFFF_FFFF_FFFF
        return tf.bitcast(tf.constant([bits >> 32, bits & 0xFFFF_FFFF], tf.uint32), tf.int32)
    seed = tf.convert_to_tensor(seed)
    if seed.shape.rank == 0:
        return tf.stack([tf.zeros([], tf.int32), tf.cast(seed, tf.int32)])
    if seed.shape.rank != 1 or seed.shape[0] != 2:
        raise ValueError(
            f"A seed must be an integer or an integer tensor of shape [2]. Received: a tensor of shape {seed.shape}"
        )
    return tf.cast(seed, tf.int32)


class TracedSeeds:
    """Seeds of a layer that is created in a traced function and therefore cannot own a variable.

    In eager code, each call of the function would create a new layer. Likewise, with a seed, all calls of the traced
    function draw the same numbers. Without a seed, each call draws different numbers.

    Args:
        seed: Integer seed. None draws a random seed in each call.
    """

    def __init__(self, seed: int | None):
        self._seed = seed
        self._num_drawn = 0

    def next(self) -> Tensor:
        """Returns a seed `[2]`."""
        if self._seed is None:
            return stateless_seed(None)
        self._num_drawn += 1
        return tf.constant([self._seed, self._num_drawn - 1], tf.int32)


def layer_seed_generator(seed: int | None) -> keras.random.SeedGenerator | TracedSeeds:
    """Returns the seed generator of a layer, which is a weight if the layer can own one."""
    # If Keras traces a model to build it, layers created in the trace are kept, and their variables created afterwards.
    if tf.inside_function() and not in_stateless_scope():
        return TracedSeeds(seed)
    return keras.random.SeedGenerator(seed)


def split_seed(seed: Seed, num: int, salt: str) -> list[Tensor]:
    """Derives `num` independent seeds; a different `salt` at each call site keeps splits of one seed independent."""
    return tf.unstack(tfp.random.split_seed(stateless_seed(seed), n=num, salt=salt), num=num)


def fold_in(seed: Seed, step: Tensor | int) -> Tensor:
    """Returns the seed of one step of a loop, a function of `seed` and `step`."""
    return tf.random.experimental.stateless_fold_in(stateless_seed(seed), step)
