"""Stateless seeds: every random number in tfvae is a function of an int32 seed of shape [2]."""

import numbers

import keras
import tensorflow as tf
import tensorflow_probability as tfp
from keras.src.backend.common.stateless_scope import in_stateless_scope

from tfvae.typing import Seed, Tensor


def stateless_seed(seed: Seed) -> Tensor:
    """Turns what users give as a seed into the int32 tensor [2] that stateless samplers take.

    Args:
        seed: a Python int (the same int always gives the same numbers), an integer tensor or pair of shape [2], a
            `keras.random.SeedGenerator` (advanced by one), or None for fresh randomness at each call.

    Raises:
        ValueError: for a tensor of another shape.
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
            f"A seed is an int, or an integer tensor of shape [2]. Received a tensor of shape {seed.shape}."
        )
    return tf.cast(seed, tf.int32)


class TracedSeeds:
    """The seeds of a layer that a traced function makes: such a layer cannot own a variable.

    As in eager code, where each call makes a new layer: with a seed every call of the function draws the same numbers,
    without one every call draws others.

    Args:
        seed: an integer; None for fresh randomness.
    """

    def __init__(self, seed: int | None):
        self._seed = seed
        self._num_drawn = 0

    def next(self) -> Tensor:
        """A seed `[2]`."""
        if self._seed is None:
            return stateless_seed(None)
        self._num_drawn += 1
        return tf.constant([self._seed, self._num_drawn - 1], tf.int32)


def seeds_of_layer(seed: int | None) -> keras.random.SeedGenerator | TracedSeeds:
    """The seeds of a layer, a weight where the layer can own one."""
    # While Keras traces a model to build it, a layer made there stays, and its variables are made afterwards.
    if tf.inside_function() and not in_stateless_scope():
        return TracedSeeds(seed)
    return keras.random.SeedGenerator(seed)


def split_seed(seed: Seed, num: int, salt: str) -> list[Tensor]:
    """Derives `num` independent seeds; `salt` keeps two places that split the same seed apart."""
    return tf.unstack(tfp.random.split_seed(stateless_seed(seed), n=num, salt=salt), num=num)


def fold_in(seed: Seed, step: Tensor) -> Tensor:
    """The seed of step `step` of a loop, a function of both."""
    return tf.random.experimental.stateless_fold_in(stateless_seed(seed), step)
