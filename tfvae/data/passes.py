"""One random key for each pass over the data.

The order of the examples is a function of the key, the noise of a batch a function of the key and the batch number.
"""

import tensorflow as tf

from tfvae.data import noise

# The second half of the seed; two zeros would ask TensorFlow for a seed of its own choice.
_SALT = 0x7FAE


def signed_seed(seed: int) -> int:
    """Returns the seed as a signed 64-bit integer, as TensorFlow takes it; TypeError if it is not an integer."""
    seed = noise.checked_seed(seed)
    return seed - 2**64 if seed >= 2**63 else seed


def pass_keys(seed: int) -> tf.data.Dataset:
    """Makes a dataset of one int64 [2] key, which differs at each iteration.

    `tf.data.Dataset.random` would mix TensorFlow's global seed into the numbers; its op, called directly, does not.
    """
    variant = tf.raw_ops.RandomDatasetV2(
        seed=signed_seed(seed),
        seed2=_SALT,
        seed_generator=tf.raw_ops.DummySeedGenerator(),
        rerandomize_each_iteration=True,
        output_types=[tf.int64],
        output_shapes=[[]],
    )
    numbers = tf.data.experimental.from_variant(variant, tf.TensorSpec([], tf.int64))
    return numbers.batch(2, drop_remainder=True).take(1)
