"""Sums and random numbers under a distribution strategy, where each replica has a part of the batch.

Sums over replicas are divided by the size of the whole batch, so that parts of different sizes and empty parts have
the right weight. Each replica has its own noise.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import tensorflow as tf


def for_workers(model: Any, *data: Any) -> list[Any]:
    """Prepares data for `fit` or `evaluate` so that the parts of all workers form the batches of one process.

    A data set without its own policy is sharded by example: all workers read it and keep a part. By default TensorFlow
    shards data in files by file, which gives other batches. Arrays are shuffled in the same order on all workers.
    """
    strategy, policy = model.distribute_strategy, tf.data.experimental.AutoShardPolicy
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return list(data)
    # Each worker draws the order from TensorFlow's global seed, which is set to the same value on all workers.
    state, steps = model.seed_generator.state.numpy(), model.num_updates
    tf.random.set_seed((int(state[0]) * 1_000_003 + int(steps)) % 2**31)
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = policy.DATA
    return [
        one.with_options(options)
        if isinstance(one, tf.data.Dataset) and one.options().experimental_distribute.auto_shard_policy == policy.AUTO
        else one
        for one in data
    ]


def is_replicated() -> bool:
    """Whether the present step runs, or is traced, on one of several replicas."""
    return tf.distribute.get_strategy().num_replicas_in_sync > 1


def sums_over_replicas(tensors: Sequence[Any]) -> list[Any]:
    """Returns the sums over all replicas, with one message per dtype. None is returned unchanged."""
    context = tf.distribute.get_replica_context()
    found = list(tensors)
    for dtype in dict.fromkeys(tensor.dtype for tensor in tensors if tensor is not None):
        places = [i for i, tensor in enumerate(tensors) if tensor is not None and tensor.dtype == dtype]
        sums = context.all_reduce(tf.distribute.ReduceOp.SUM, [tensors[i] for i in places])
        for i, value in zip(places, sums, strict=True):
            found[i] = value
    return found


@contextlib.contextmanager
def replica_seeds(model: Any) -> Iterator[None]:
    """Gives all random states of the model their own seed on each replica. Their counters stay equal everywhere."""
    replica = tf.distribute.get_replica_context().replica_id_in_sync_group
    states = [variable for variable in model.variables if variable.name == "seed_generator_state"]
    seeds = [state.value[0] for state in states]
    for state, seed in zip(states, seeds, strict=True):
        key = tf.stack([tf.cast(seed, tf.int32), tf.cast(replica, tf.int32)])
        own = tf.random.stateless_uniform([], key, None, None, tf.int32)
        state.assign(tf.stack([tf.cast(own, seed.dtype), state.value[1]]))
    yield
    for state, seed in zip(states, seeds, strict=True):
        state.assign(tf.stack([seed, state.value[1]]))


@contextlib.contextmanager
def gradients_summed(optimizer: Any) -> Iterator[None]:
    """Prevents Keras from summing gradients again, which it does after it has clipped those of each replica.

    In one process the sum would change nothing, but it would register a gradient that is never freed.
    """
    while hasattr(optimizer, "inner_optimizer"):
        optimizer = optimizer.inner_optimizer
    # Replicas run this code one after another, and all request the sum before any of them continues.
    vars(optimizer)["_all_reduce_sum_gradients"] = list
    try:
        yield
    finally:
        vars(optimizer).pop("_all_reduce_sum_gradients", None)
