"""A joint distribution of named parts, each of which is made from parts that are drawn before it."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability.python.distributions.joint_distribution import StaticDistributionAttributes

from tfvae.typing import Distribution, Tensor

tfd = tfp.distributions


class Given(NamedTuple):
    """What a conditional depends on: a tensor, and how many of its last axes belong to one example."""

    value: Tensor
    event_rank: int


class PartSpec(NamedTuple):
    """What is known of a part's distribution before it is made."""

    event_shape: tf.TensorShape
    dtype: tf.DType
    reparameterization_type: Any


class Conditional(NamedTuple):
    """How one part is made.

    Attributes:
        spec: what is known of the distribution.
        parents: the names of the parts that it depends on, which are drawn before it.
        make: takes these parts and returns the distribution, whose batch shape is what their leading axes broadcast to.
    """

    spec: PartSpec
    parents: tuple[str, ...]
    make: Callable[[Sequence[Given]], Distribution]


class JointDistributionOfParts(tfp.distributions.JointDistribution):
    """p(z_1) p(z_2|z_1) ..., of which a draw is a dictionary; TFP's `JointDistributionNamed` for parts that are layers.

    Every axis of a part belongs to its event or to the batch, so that the batch shape is that of one example's parts
    and densities are summed over parts and nothing else.

    Args:
        conditionals: how each part is made, by name, in the order of drawing.
        batch_shape: the batch shape of each part, as far as it is known.
        name: of the distribution.
    """

    def __init__(self, conditionals: Mapping[str, Conditional], batch_shape: tf.TensorShape, name: str = "joint"):
        parameters = {"conditionals": conditionals, "batch_shape": batch_shape, "name": name}
        # TFP would trace every network for them, in each call of the layer.
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
        """The names of the parts and of those that each depends on, as in TFP's `JointDistributionNamed`."""
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
    """Tensors with one batch axis in place of their leading axes, which are broadcast against each other first.

    Returns:
        The tensors, and what their leading axes broadcast to, an int32 tensor.
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
    """What shapes broadcast to, with those axes constant that are known."""
    if static.is_fully_defined():
        return tf.constant(static.as_list(), tf.int32)
    found = functools.reduce(tf.broadcast_dynamic_shape, shapes)
    return tf.stack([found[axis] if size is None else size for axis, size in enumerate(static.as_list())])
