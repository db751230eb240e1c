"""`tf.data` batches of a split: one slice or gather, one scaling, one draw of noise a batch.

Randomness comes from one key a pass, which a dataset of random numbers that changes at every iteration yields. The
order of the examples is a function of the key, the noise of a batch a function of the key and the batch number.
"""

import functools
import operator
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from tfvae._errors import quoted
from tfvae.data import noise
from tfvae.data.in_memory import Finish, InMemoryBatches, remember
from tfvae.data.requirements import Draw
from tfvae.typing import Tensor

if TYPE_CHECKING:
    from tfvae.data.split import Split

# The second half of the seed; two zeros would ask TensorFlow for a seed of its own choice.
_SALT = 0x7FAE

# Several datasets over one split share one tensor, which lives as long as the split.
_tensors: "weakref.WeakKeyDictionary[Split, Tensor]" = weakref.WeakKeyDictionary()


def make_batches(
    split: "Split",
    batch_size: int,
    *,
    shuffle: bool,
    seed: int,
    draw: Draw | None,
    labels: bool,
    drop_remainder: bool,
) -> tf.data.Dataset:
    """The dataset behind `Split.batches`, whose docstring says what the arguments mean."""
    num_examples = len(split)
    batch_size = checked_batch_size(batch_size, num_examples, drop_remainder, split.name)
    num_batches = num_examples // batch_size if drop_remainder else -(-num_examples // batch_size)
    raw = _tensor(split)
    y = _on_host(split.labels) if labels else None
    static_shape = (batch_size if drop_remainder else None, *split.event_shape)
    num_levels = split.num_levels

    def fetch(key: Tensor, index: Tensor, row: Tensor | None = None) -> Any:
        start = index * batch_size

        def pick(tensor: Tensor) -> Tensor:
            if row is None:
                return tensor[start : start + batch_size]
            return tf.gather(tensor, row[: num_examples - start])

        x = finish(pick(raw), num_levels, draw, lambda: tf.random.experimental.stateless_fold_in(key, index))
        x = tf.ensure_shape(x, static_shape)
        return x if y is None else (x, tf.ensure_shape(pick(y), static_shape[:1]))

    seed = noise.checked_seed(seed)
    passes = keys(seed) if shuffle or draw is not None else None
    if passes is not None:
        plan = passes.flat_map(functools.partial(_one_pass, num_examples, batch_size, num_batches, shuffle))
        plan = plan.apply(tf.data.experimental.assert_cardinality(num_batches))
    else:
        plan = tf.data.Dataset.range(num_batches).map(lambda index: (tf.zeros([2], tf.int64), index))
    dataset = plan.map(fetch, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).prefetch(tf.data.AUTOTUNE)
    if y is None:
        finishing = Finish(num_levels, draw)
        remember(dataset, InMemoryBatches(raw, batch_size, num_batches, finishing, shuffle, passes))
    return dataset


def _one_pass(num_examples: int, batch_size: int, num_batches: int, shuffle: bool, key: Tensor) -> tf.data.Dataset:
    """What each batch of a pass is made from: the key of the pass, the batch number and, shuffled, a row of examples.

    Plain elements and one map over them: datasets that call functions inside `flat_map` take twice as long to start.
    """
    parts = [tf.data.Dataset.from_tensors(key).repeat(num_batches), tf.data.Dataset.range(num_batches)]
    if shuffle:
        order = tf.random.experimental.stateless_shuffle(tf.range(num_examples, dtype=tf.int64), key)
        padding = max(0, num_batches * batch_size - num_examples)
        rows = tf.pad(order, [[0, padding]])[: num_batches * batch_size]
        parts.append(tf.data.Dataset.from_tensor_slices(tf.reshape(rows, [num_batches, batch_size])))
    return tf.data.Dataset.zip(*parts)


def checked_batch_size(batch_size: int, num_examples: int, drop_remainder: bool, name: str) -> int:
    """The batch size as an int, at most the number of examples.

    Raises:
        TypeError: for what is not an integer.
        ValueError: for one that leaves no batch.
    """
    try:
        size = operator.index(batch_size)
    except TypeError:
        raise TypeError(f"batch_size must be an integer. Received batch_size={batch_size!r}.") from None
    if size < 1:
        raise ValueError(f"batch_size must be at least 1. Received batch_size={quoted(size)}.")
    if drop_remainder and size > num_examples:
        raise ValueError(
            f"drop_remainder=True leaves no batch at all: {name} has {num_examples} examples. Take a batch_size of at "
            f"most that, or drop_remainder=False. Received batch_size={quoted(size)}."
        )
    return min(size, num_examples)


def signed_seed(seed: int) -> int:
    """The seed as TensorFlow takes it, a signed 64-bit integer; TypeError for anything that is not an integer."""
    seed = noise.checked_seed(seed)
    return seed - 2**64 if seed >= 2**63 else seed


def keys(seed: int) -> tf.data.Dataset:
    """One int64 [2] tensor an iteration, another one at each iteration.

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


def finish(raw: Tensor, num_levels: int | None, draw: Draw | None, key: Callable[[], Any]) -> Any:
    """Scales a batch as stored to float32 and adds what chance there is."""
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


def _tensor(split: "Split") -> Tensor:
    if split not in _tensors:
        _tensors[split] = _on_host(split.raw)
    return _tensors[split]


def _on_host(array: np.ndarray | None) -> Tensor:
    """The array as a tensor in host memory, where `tf.data` works, also on a machine with an accelerator."""
    return tf.data.Dataset.from_tensors(array).get_single_element()
