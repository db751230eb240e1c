"""How a distribution travels through Keras 3: an object that is a distribution and converts to a tensor.

Keras 3 passes whatever a layer returns to the next one and asks two things of it: that `tf.is_tensor` holds, else
`compile(loss=...)`, masks and activity regularisers leave it out; and that it converts, when an ordinary layer or a
metric wants numbers. `DistributionTensor` answers both and forwards everything else to the distribution it holds. It
is not a `CompositeTensor`, which `tf.function` would take apart instead of converting.

Before it calls a loss, Keras casts the model's output to the loss' dtype and adds or drops a last axis of length 1 for
the targets' rank. Those three operations (`tf.cast`, `tf.expand_dims`, `tf.squeeze`) act on the value and keep the
distribution, so that a loss can still ask for `log_prob`.

Everything that knows of this is in this file; elsewhere tfvae works on plain distributions (`as_distribution`).
"""

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow.python.util.dispatch import register_dispatchable_type

from tfvae.layers._batch_unflattened import BatchUnflattened
from tfvae.typing import Distribution, Tensor

tfd = tfp.distributions

# These are tf.Module's own and speak of the wrapper.
_KEPT_BY_MODULE = {"name", "name_scope", "with_name_scope", "submodules", "parameter_properties"}
_FORWARDED = [name for name in dir(tfd.Distribution) if not name.startswith("_") and name not in _KEPT_BY_MODULE]
# `==` and `!=` stay identity, so that the object can be hashed; `[]` slices the value, as it does for tfp.layers.
_OPERATORS = sorted(tf.Tensor.OVERLOADABLE_OPERATORS - {"__eq__", "__ne__", "__div__", "__rdiv__"})


class DistributionTensor(tfp.distributions.Distribution, tf.__internal__.types.Tensor):
    """A TFP distribution that is also accepted wherever Keras wants a tensor.

    Args:
        distribution: the distribution.
        value_fn: computes the tensor it converts to; called at most once, so that every consumer sees the same sample.
        rebuild_fn: given a batch shape, makes the same distribution with its batch axes in that shape.
        value_dtype: dtype of the value, where it is not the distribution's.
    """

    def __init__(
        self,
        distribution: Distribution,
        value_fn: Callable[[Distribution], Tensor],
        rebuild_fn: Callable[[Tensor], Distribution] | None = None,
        value_dtype: tf.DType | None = None,
    ):
        self._value_dtype = value_dtype
        self._distribution = distribution
        self._value_fn = value_fn
        self._rebuild_fn = rebuild_fn
        self._value: Tensor | None = None
        # Where it was made: the value is computed there, so that it serves every later consumer.
        self._graph = None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()
        super().__init__(
            dtype=distribution.dtype,
            reparameterization_type=distribution.reparameterization_type,
            validate_args=distribution.validate_args,
            allow_nan_stats=distribution.allow_nan_stats,
            parameters=distribution.parameters,
            name=distribution.name,
        )

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: int | None = None) -> dict[str, Any]:
        return {"distribution": tfp.util.BatchedComponentProperties()}

    @property
    def tensor_distribution(self) -> Distribution:
        """The plain TFP distribution, an instance of its own class; the name is that of `tfp.layers`' outputs."""
        return self._distribution

    @property
    def value(self) -> Tensor:
        """The tensor this converts to, computed at the first use and kept."""
        if self._value is None:
            with self._where_made():
                try:
                    # A joint distribution converts to its last part, which the others lead to.
                    self._value = tf.convert_to_tensor(tf.nest.flatten(self._value_fn(self._distribution))[-1])
                except AttributeError as error:  # which Python would take for an absent `value`
                    raise ValueError(
                        f"{self._distribution!r} does not convert to a tensor with the convert_to_tensor_fn of its "
                        f"layer: {error}. Give the layer another one, such as 'sample' or 'mean'."
                    ) from error
        return self._value

    def _where_made(self) -> contextlib.AbstractContextManager[Any]:
        if self._graph is not None:
            return self._graph.as_default()
        # Lifting out of a graph pauses gradient tapes, so only where there is one.
        return contextlib.nullcontext() if tf.executing_eagerly() else tf.init_scope()

    def with_value(
        self,
        value_fn: Callable[[Tensor], Tensor],
        distribution: Distribution | None = None,
        value_dtype: tf.DType | None = None,
    ) -> "DistributionTensor":
        """The same distribution (or `distribution`) with another value, a function of this one's."""
        return DistributionTensor(
            self._distribution if distribution is None else distribution,
            lambda _: value_fn(self.value),
            self._rebuild_fn,
            value_dtype or self._value_dtype,
        )

    @property
    def dtype(self) -> tf.DType:
        dtype = self._value_dtype or self._distribution.dtype
        return dtype if isinstance(dtype, tf.DType) else self.value.dtype  # of a joint distribution: its last part's

    def log_prob(self, value: Tensor, name: str = "log_prob", **kwargs: Any) -> Tensor:
        """`log_prob` of the distribution, at values `[..., *event]` of any number type."""
        return self._distribution.log_prob(self._event_values(value), name=name, **kwargs)

    def prob(self, value: Tensor, name: str = "prob", **kwargs: Any) -> Tensor:
        """`prob` of the distribution, at values `[..., *event]` of any number type."""
        return self._distribution.prob(self._event_values(value), name=name, **kwargs)

    def _event_values(self, value: Any) -> Any:
        """The values in the distribution's dtype, refused where TFP would broadcast them along an event axis."""
        dtype, event = self._distribution.dtype, self._distribution.event_shape
        if not isinstance(dtype, tf.DType):
            return value  # of a joint distribution
        if not tf.is_tensor(value):
            value = tf.convert_to_tensor(value, dtype_hint=dtype)
        if dtype.is_floating and value.dtype != dtype:
            value = tf.cast(value, dtype)
        shape, batch = value.shape, self._distribution.batch_shape
        if shape.rank in (None, 0) or event.rank is None:
            return value
        split = shape.rank - event.rank
        if split < 0 or not shape[split:].is_compatible_with(event):
            raise ValueError(
                f"{self._distribution.name} has event shape {event}: its log_prob takes values of shape "
                f"(..., {', '.join(map(str, event))}). Received shape {shape}. Reshape the data, or give the layer "
                "the data's event_shape."
            )
        try:
            tf.broadcast_static_shape(shape[:split], batch)
        except ValueError:
            raise ValueError(
                f"{self._distribution.name} has batch shape {batch} and event shape {event}: values of shape {shape} "
                f"do not fit. Their axes before the event, {shape[:split]}, must broadcast against the batch shape."
            ) from None
        return value

    @property
    def shape(self) -> tf.TensorShape:
        return self.value.shape

    @property
    def ndim(self) -> int:
        return self.value.shape.rank

    def numpy(self) -> np.ndarray:
        return self.value.numpy()

    def __tf_tensor__(self, dtype: Any = None, name: str | None = None) -> Tensor:
        return self.value if dtype is None else tf.cast(self.value, dtype)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self.value.numpy(), dtype=dtype)

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self) -> Any:
        return iter(self.value)

    def __getattr__(self, name: str) -> Any:
        # Reached only for what neither this class nor `tfd.Distribution` defines: `loc`, `logits`, ...
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.__dict__["_distribution"], name)

    def __repr__(self) -> str:
        return f"<DistributionTensor of {self._distribution!r}>"

    def __str__(self) -> str:
        return f"DistributionTensor({self._distribution})"


def _forward_method(name: str) -> Any:
    def method(self: DistributionTensor, *args: Any, **kwargs: Any) -> Any:
        return getattr(self._distribution, name)(*args, **kwargs)

    method.__name__, method.__doc__ = name, f"`{name}` of the distribution."
    return method


def _forward_property(name: str) -> property:
    return property(lambda self: getattr(self._distribution, name), doc=f"`{name}` of the distribution.")


def _operator_on_value(name: str) -> Any:
    def operator(self: DistributionTensor, *args: Any) -> Tensor:
        return getattr(self.value, name)(*args)

    operator.__name__ = name
    return operator


_OWN = {"dtype", "log_prob", "prob"}
for _name in (name for name in _FORWARDED if name not in _OWN):
    _is_property = isinstance(getattr(tfd.Distribution, _name), property)
    setattr(DistributionTensor, _name, (_forward_property if _is_property else _forward_method)(_name))
for _name in _OPERATORS:
    setattr(DistributionTensor, _name, _operator_on_value(_name))


# TensorFlow looks for another implementation of an operation only for types that it has been told of.
register_dispatchable_type(DistributionTensor)


@tf.experimental.dispatch_for_api(tf.cast, {"x": DistributionTensor})
def _cast(x: DistributionTensor, dtype: Any, name: str | None = None) -> DistributionTensor:
    dtype = tf.as_dtype(dtype)
    return x.with_value(lambda value: tf.cast(value, dtype, name), value_dtype=dtype)


@tf.experimental.dispatch_for_api(tf.expand_dims, {"input": DistributionTensor})
def _expand_dims(input: DistributionTensor, axis: Any, name: str | None = None) -> DistributionTensor:
    is_last = axis in (-1, input.shape.rank)
    return input.with_value(
        lambda value: tf.expand_dims(value, axis, name),
        _with_batch_axes(input, lambda batch: tf.concat([batch, [1]], axis=0)) if is_last else None,
    )


@tf.experimental.dispatch_for_api(tf.squeeze, {"input": DistributionTensor})
def _squeeze(input: DistributionTensor, axis: Any = None, name: str | None = None) -> DistributionTensor:
    is_last = axis in (-1, [-1], [input.shape.rank - 1])
    return input.with_value(
        lambda value: tf.squeeze(value, axis, name),
        _with_batch_axes(input, lambda batch: batch[:-1]) if is_last else None,
    )


def _with_batch_axes(value: DistributionTensor, axes_fn: Callable[[Tensor], Tensor]) -> Distribution | None:
    """For scalar events, whose value's last axis is a batch axis, the distribution with its batch axes changed."""
    batch_ndims = value.batch_shape.rank
    if (
        value.event_shape.rank != 0
        or batch_ndims != value.shape.rank
        or (value._rebuild_fn is None and batch_ndims > 1)
    ):
        return None
    return reshape_batch(value, axes_fn(value.batch_shape_tensor()))


def as_distribution(value: Any) -> Distribution:
    """The plain distribution: unwraps what a distribution layer returned, leaves a TFP distribution as it is.

    Raises:
        TypeError: when `value` is no distribution.
    """
    if isinstance(value, DistributionTensor):
        return value._distribution
    if isinstance(value, tfd.Distribution):
        return value
    raise TypeError(f"Expected a TFP distribution. Received: {value!r} (of type {type(value).__name__}).")


def reshape_batch(value: Any, batch_shape: Tensor) -> Distribution:
    """The plain distribution behind `value`, of one batch axis, with that axis split into `batch_shape`.

    Raises:
        TypeError: when `value` is no distribution.
    """
    if isinstance(value, DistributionTensor) and value._rebuild_fn is not None:
        return value._rebuild_fn(batch_shape)
    return BatchUnflattened(as_distribution(value), batch_shape)


@tfd.RegisterKL(DistributionTensor, tfd.Distribution)
def _kl_left(a: DistributionTensor, b: Distribution, name: str | None = None) -> Tensor:
    return tfd.kl_divergence(as_distribution(a), as_distribution(b), name=name)


@tfd.RegisterKL(tfd.Distribution, DistributionTensor)
def _kl_right(a: Distribution, b: DistributionTensor, name: str | None = None) -> Tensor:
    return tfd.kl_divergence(as_distribution(a), as_distribution(b), name=name)
