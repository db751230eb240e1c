"""Steps of training under a distribution strategy: each replica has its part of a batch, and all make one update.

Keras' own functions fail for several workers (keras issue 20585). What differs from one process: sums over replicas are
divided by the size of the whole batch, so that parts of different sizes, and empty ones, count as they should; and each
replica has noise of its own.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae.estimators import Estimate
from tfvae.typing import Tensor

# In the support of all likelihoods of images and of densities; what it gives is not counted.
_FILLING = 0.5


class DistributedSteps:
    """A train or test function for Keras under a strategy: makes several steps a call, each on all replicas.

    Args:
        model: a model made under the strategy; `model.execution` says how many steps a call makes, and is written to.
        step: from a replica's part of a batch to logs, the means in `model.metrics`, the same on all replicas.

    Numerics:
        The logs are those of the last step, or, where a loss is not finite, of the first such step.
    """

    def __init__(self, model: Any, step: Callable[[Any], dict[str, Tensor]]):
        self._strategy = model.distribute_strategy
        self._step = step
        self._names = [metric.name for metric in model.metrics]
        self._execution = model.execution
        self._beta = model.beta
        self._run = tf.function(self._steps, autograph=False, reduce_retracing=True)
        self._run_one = tf.function(self._one, autograph=False, reduce_retracing=True)

    def __call__(self, iterator: Any) -> dict[str, Tensor]:
        """The logs; StopIteration when there are no more batches."""
        execution = self._execution
        betas, execution.betas = execution.betas, None
        if not isinstance(iterator, tf.distribute.DistributedIterator):  # a batch that all replicas get
            execution.num_made, execution.first_non_finite = 1, None
            return self._run_one(next(iterator))
        limit = min(execution.num_steps, execution.limit or execution.num_steps)
        beta = np.full(execution.num_steps, self._beta.numpy())
        if betas is not None:
            beta[: len(betas)] = betas[: len(beta)]
        made, bad, logs = self._run(iterator, tf.constant(limit), tf.constant(beta, self._beta.dtype))
        execution.num_made = int(made)
        execution.first_non_finite = int(bad) if int(bad) < int(made) else None
        if not execution.num_made:
            raise StopIteration
        return logs

    def _steps(self, iterator: Any, limit: Tensor, betas: Tensor) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """How many steps were made, the first that was not finite (`limit` for none), and the logs."""

        def body(made: Tensor, batch: Any, bad: Tensor, logs: dict[str, Tensor]) -> Any:
            self._beta.assign(betas[made])
            new = self._one(batch.get_value())
            was_finite = bad == limit
            logs = {name: tf.where(was_finite, new[name], logs[name]) for name in logs}
            is_finite = tf.reduce_all([tf.math.is_finite(value) for value in new.values()])
            bad = tf.where(tf.logical_and(was_finite, ~is_finite), made, bad)
            following = tf.cond(made + 1 < limit, iterator.get_next_as_optional, lambda: batch)
            return made + 1, following, bad, logs

        logs = {name: tf.constant(0.0) for name in self._names}
        start = (tf.constant(0), iterator.get_next_as_optional(), limit, logs)
        made, _, bad, logs = tf.while_loop(
            lambda made, batch, *_: tf.logical_and(made < limit, batch.has_value()), body, start, parallel_iterations=1
        )
        return made, bad, logs

    def _one(self, batch: Any) -> dict[str, Tensor]:
        logs = self._strategy.run(self._step, args=(batch,))
        return {name: tf.cast(self._strategy.experimental_local_results(logs[name])[0], "float32") for name in logs}


def for_workers(model: Any, *data: Any) -> list[Any]:
    """Data for `fit` or `evaluate`, such that several workers' parts make up the batches of one process.

    A data set that says nothing about it is shared out by example: all workers read it, and keep a part. TensorFlow's
    own choice for data in files is by file, which makes other batches. Arrays are shuffled alike.
    """
    strategy, policy = model.distribute_strategy, tf.data.experimental.AutoShardPolicy
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return list(data)
    # Each worker draws the order from TensorFlow's global seed; these are the same on all, whatever they started with.
    state, steps = model.seed_generator.state.numpy(), model.optimizer.iterations.numpy()
    tf.random.set_seed((int(state[0]) * 1_000_003 + int(steps)) % 2**31)
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = policy.DATA
    return [
        one.with_options(options)
        if isinstance(one, tf.data.Dataset) and one.options().experimental_distribute.auto_shard_policy == policy.AUTO
        else one
        for one in data
    ]


def train_step(model: Any, data: Any) -> dict[str, Tensor]:
    """A replica's half of a training step; the loss is the mean over the whole batch.

    Gradients are summed here, before the optimizer, which clips them, and sees whether they are finite, as in one
    process.
    """
    with _own_noise(model), tf.GradientTape() as tape:
        estimate, loss, weight, is_outside = _part(model, data, training=True)
        scaled = model.optimizer.scale_loss(loss)
    gradients = tape.gradient(scaled, model.trainable_variables)
    size = tf.shape(estimate.bound)[0]
    # A mean over the part, times its size: under a loss scale of float16 a sum could overflow.
    sums = [None if g is None else tf.math.multiply_no_nan(g, tf.cast(size, g.dtype)) for g in map(_dense, gradients)]
    # What the step has moved besides, such as the statistics of a batch normalisation: their means over all examples.
    moved = _statistics(model)
    sums += [tf.math.multiply_no_nan(v.value, tf.cast(size, v.dtype)) for v in moved]
    *sums, metrics = _over_replicas([*sums, _metric_sums(estimate, loss, weight, is_outside)])
    means = [None if s is None else s / tf.cast(metrics[0, 1], s.dtype) for s in sums]
    gradients, statistics = means[: len(gradients)], means[len(gradients) :]
    for variable, value in zip(moved, statistics, strict=True):
        variable.assign(value)
    with summed_already(model.optimizer):
        model.optimizer.apply(gradients, model.trainable_variables)
    return _update(model, metrics)


def test_step(model: Any, data: Any) -> dict[str, Tensor]:
    """A replica's half of an evaluation step."""
    with _own_noise(model):
        estimate, loss, weight, is_outside = _part(model, data, training=False)
    (metrics,) = _over_replicas([_metric_sums(estimate, loss, weight, is_outside)])
    return _update(model, metrics)


def _part(model: Any, data: Any, *, training: bool) -> tuple[Estimate, Tensor, Tensor | None, Tensor]:
    """The estimate of a replica's part `[B]`, its loss, 0 for an empty one, the weights, and whether x is outside."""
    x, weight = model._unpacked(data)
    size = tf.shape(x)[0]
    # Statistics of an empty batch, such as a batch normalisation keeps, would be no numbers.
    extra = tf.cast(size == 0, tf.int32)
    filled = tf.pad(x, [[0, extra], *[[0, 0]] * (x.shape.rank - 1)], constant_values=tf.cast(_FILLING, x.dtype))
    filled = tf.ensure_shape(filled, [None, *x.shape[1:]])
    estimate = tf.nest.map_structure(lambda term: term[:size], model.estimate(filled, training=training))
    loss = model.loss_of(estimate, weight)
    is_outside = model._is_outside(filled)
    is_outside = tf.constant(False) if is_outside is None else is_outside
    return estimate, tf.where(size > 0, loss, tf.zeros_like(loss)), weight, is_outside


def _statistics(model: Any) -> list[Any]:
    """The variables that a step moves otherwise than by gradients; beta is moved on the host."""
    others = {id(model.beta), *(id(v) for metric in model.metrics for v in metric.variables)}
    return [v for v in model.non_trainable_variables if id(v) not in others and "float" in v.dtype]


def _metric_sums(estimate: Estimate, loss: Tensor, weight: Tensor | None, is_outside: Tensor) -> Tensor:
    """Total and count of each metric, and of parts that are outside the support `[5, 2]`.

    The first count is the size of the batch.
    """
    size = tf.cast(tf.shape(estimate.bound)[0], "float32")
    weights = tf.ones_like(estimate.bound) if weight is None else weight
    weights = tf.cast(weights, "float32")
    terms = (tf.cast(term, "float32") for term in (estimate.bound, estimate.log_likelihood, estimate.kl))
    totals = [tf.cast(loss, "float32") * size, *(tf.reduce_sum(term * weights) for term in terms)]
    count, num_outside = tf.reduce_sum(weights), tf.cast(is_outside, "float32")
    counts = [size, count, count, count, tf.ones_like(count)]
    return tf.stack([tf.stack([*totals, num_outside]), tf.stack(counts)], axis=1)


def _update(model: Any, sums: Tensor) -> dict[str, Tensor]:
    metrics = [*model.metrics, model._bound_metrics.outside]
    for metric, (total, count) in zip(metrics, (tf.unstack(row) for row in tf.unstack(sums)), strict=True):
        metric.update_state(tf.math.divide_no_nan(total, count), sample_weight=count)
    return {metric.name: metric.result() for metric in model.metrics}


def _over_replicas(tensors: list[Any]) -> list[Any]:
    """Sums over all replicas, with one message for each dtype; None stays None."""
    context = tf.distribute.get_replica_context()
    found = list(tensors)
    for dtype in dict.fromkeys(tensor.dtype for tensor in tensors if tensor is not None):
        places = [i for i, tensor in enumerate(tensors) if tensor is not None and tensor.dtype == dtype]
        sums = context.all_reduce(tf.distribute.ReduceOp.SUM, [tensors[i] for i in places])
        for i, value in zip(places, sums, strict=True):
            found[i] = value
    return found


def _dense(gradient: Any) -> Any:
    return tf.convert_to_tensor(gradient) if isinstance(gradient, tf.IndexedSlices) else gradient


@contextlib.contextmanager
def _own_noise(model: Any) -> Iterator[None]:
    """Gives the replica's random states a seed of its own, Keras' layers' too; their counters stay the same on all."""
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
def summed_already(optimizer: Any) -> Iterator[None]:
    """Keeps Keras, which would sum gradients over replicas after clipping each replica's, from summing them again."""
    while hasattr(optimizer, "inner_optimizer"):
        optimizer = optimizer.inner_optimizer
    # Replicas come here in turns, and all have asked for the sum before any of them leaves.
    vars(optimizer)["_all_reduce_sum_gradients"] = list
    try:
        yield
    finally:
        vars(optimizer).pop("_all_reduce_sum_gradients", None)
