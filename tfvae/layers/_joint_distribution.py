"""Joint distribution of named parts, each of which may depend on parts that are drawn before it."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability.python.distributions.joint_distribution import StaticDistributionAttributes

from tfvae.typing import Distribution, Tensor

tfd = tfp.distributions


class Given(NamedTuple):
    """Input of a conditional: a tensor, and the number of its last axes that belong to one example."""

    value: Tensor
    event_rank: int


class PartSpec(NamedTuple):
    """Properties of the distribution of a part that are known before it is created."""

    event_shape: tf.TensorShape
    dtype: tf.DType
    reparameterization_type: Any


class Conditional(NamedTuple):
    """Conditional distribution of one part.

    Attributes:
        spec: Known properties of the distribution.
        parents: Names of the parts that it depends on, which are drawn before it.
        make: Function from these parts to the distribution. Its batch shape is the broadcast shape of their leading
            axes.
    """

    spec: PartSpec
    parents: tuple[str, ...]
    make: Callable[[Sequence[Given]], Distribution]


class JointDistributionOfParts(tfp.distributions.JointDistribution):
    """Joint distribution p(z_1) p(z_2|z_1) ..., like TFP's `JointDistributionNamed`, for parts that are layers.

    A draw is a dictionary. Every axis of a part belongs to its event or to the batch, so that all parts have the same
    batch shape and log-densities are summed only over parts.

    Args:
        conditionals: Conditionals by name, in the order of drawing.
        batch_shape: Batch shape of each part, as far as it is known.
        name: Name of the distribution.
    """

    def __init__(self, conditionals: Mapping[str, Conditional], batch_shape: tf.TensorShape, name: str = "joint"):
        parameters = {"conditionals": conditionals, "batch_shape": batch_shape, "name": name}
        # Without this cache, TFP would trace every network in each call of the layer.
        self._cached_static_attributes = self._no_dependency(
            StaticDistributionAttributes(
                batch_shape=[batch_shape] * len(conditionals),
                dtype=[conditional.spec.dtype for conditional in conditionals.values()],
                experimental_shard_axis_names=[[]] * len(conditionals),
                event_shape=[conditional.spec.event_shape for conditional in conditionals.values()],
                name=list(conditionals),
                reparameterization_type=[each.spec.reparameterization_type for each in conditionals.values()],
            )
        )
        self._conditionals = self._no_dependency(tuple(conditionals.items()))
        super().__init__(dtype=None, validate_args=False, parameters=parameters, name=name)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the parts, in the order of drawing."""
        return tuple(name for name, _ in self._conditionals)

    def resolve_graph(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Returns the name and the parents of each part, as TFP's `JointDistributionNamed` does."""
        return tuple((name, conditional.parents) for name, conditional in self._conditionals)

    def _model_coroutine(self) -> Any:
        drawn: dict[str, Given] = {}
        for name, conditional in self._conditionals:
            distribution = conditional.make([drawn[parent] for parent in conditional.parents])
            value = yield distribution if conditional.parents else self.Root(distribution)
            drawn[name] = Given(value, conditional.spec.event_shape.rank)

    def _model_flatten(self, xs: Any) -> list[Any]:
        return [xs[name] for name in self.names]

    def _model_unflatten(self, xs: Any) -> dict[str, Any]:
        return dict(zip(self.names, xs, strict=True))

    def _resolve_value(self, *args: Any, allow_partially_specified: bool = False, **kwargs: Any) -> Any:
        value = kwargs.pop("value", None)
        value = (args[0] if args else kwargs) if value is None else value
        if not value:
            return None
        if not isinstance(value, Mapping) or not set(value) <= set(self.names):
            raise ValueError(f"A value must be a dictionary of the parts {list(self.names)}. Received: value={value!r}")
        if not allow_partially_specified and set(value) != set(self.names):
            raise ValueError(f"A value of all parts {list(self.names)} is needed. Received: {list(value)}")
        parts = {name: value.get(name) for name in self.names}
        return {
            name: None if part is None else tf.convert_to_tensor(part, dtype_hint=conditional.spec.dtype)
            for (name, part), (_, conditional) in zip(parts.items(), self._conditionals, strict=True)
        }

    def _batch_shape(self) -> tf.TensorShape:
        return functools.reduce(tf.broadcast_static_shape, self._batch_shape_parts())

    def _batch_shape_tensor(self, **_: Any) -> Tensor:
        return functools.reduce(tf.broadcast_dynamic_shape, self._batch_shape_tensor_parts())


def flattened(given: Sequence[Given]) -> tuple[list[Tensor], Tensor]:
    """Broadcasts the leading axes of tensors against each other and merges them to one batch axis.

    Returns:
        The tensors, and the broadcast shape of their leading axes, an int32 tensor.
    """
    splits = [value.shape.rank - event_rank for value, event_rank in given]
    batches = [value.shape[:split] for (value, _), split in zip(given, splits, strict=True)]
    static = functools.reduce(tf.broadcast_static_shape, batches)
    batch_shape = _batch_shape(
        [tf.shape(value)[:split] for (value, _), split in zip(given, splits, strict=True)], static
    )
    is_equal = len(given) == 1 or (static.is_fully_defined() and all(batch == static for batch in batches))
    flat = []
    for (value, _), split in zip(given, splits, strict=True):
        event = tf.shape(value)[split:]
        if not is_equal:
            value = tf.broadcast_to(value, tf.concat([batch_shape, event], axis=0))
        flat.append(tf.reshape(value, tf.concat([[tf.reduce_prod(batch_shape)], event], axis=0)))
    return flat, batch_shape


def _batch_shape(shapes: Sequence[Tensor], static: tf.TensorShape) -> Tensor:
    """Returns the broadcast shape, with constants for the axes that are known."""
    if static.is_fully_defined():
        return tf.constant(static.as_list(), tf.int32)
    found = functools.reduce(tf.broadcast_dynamic_shape, shapes)
    return tf.stack([found[axis] if size is None else size for axis, size in enumerate(static.as_list())])
