"""Distributions as outputs of Keras 3 layers.

Keras 3 passes the output of a layer to the next one and requires two things of it. First, `tf.is_tensor` must be true;
otherwise `compile(loss=...)`, masks and activity regularisers ignore the output. Second, it must convert to a tensor
for ordinary layers and metrics. `DistributionTensor` does both and forwards everything else to the distribution it
wraps. It is not a `CompositeTensor`, because `tf.function` would decompose it instead of converting it.

Before Keras calls a loss, it casts the model's output to the dtype of the loss, and adds or drops a last axis of length
1 to match the rank of the targets. These three operations (`tf.cast`, `tf.expand_dims`, `tf.squeeze`) change the value
and keep the distribution, so a loss can still call `log_prob`.

Only this file handles `DistributionTensor`. The rest of tfvae works on plain distributions (`as_distribution`).
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

# Attributes of tf.Module, which describe the wrapper.
_MODULE_ATTRIBUTES = {"name", "name_scope", "with_name_scope", "submodules", "parameter_properties"}
_FORWARDED = [name for name in dir(tfd.Distribution) if not name.startswith("_") and name not in _MODULE_ATTRIBUTES]
# `==` and `!=` compare identity, so that the object is hashable; `[]` slices the value, as in tfp.layers.
_OPERATORS = sorted(tf.Tensor.OVERLOADABLE_OPERATORS - {"__eq__", "__ne__", "__div__", "__rdiv__"})


class DistributionTensor(tfp.distributions.Distribution, tf.__internal__.types.Tensor):
    """TFP distribution that Keras also accepts as a tensor.

    Args:
        distribution: The wrapped distribution.
        value_fn: Function that computes the tensor value. It is called at most once, so that every consumer sees the
            same sample.
        rebuild_fn: Function that takes a batch shape and returns the same distribution with its batch axes reshaped.
        value_dtype: Dtype of the value. Defaults to the dtype of the distribution.
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
        # The value is computed in the graph where this object was created, so that every later consumer can use it.
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
        """The wrapped TFP distribution. The property has the same name in the outputs of `tfp.layers`."""
        return self._distribution

    @property
    def value(self) -> Tensor:
        """The tensor value, computed on first use and cached."""
        if self._value is None:
            with self._creation_scope():
                try:
                    # A joint distribution converts to its last part, which depends on the others.
                    self._value = tf.convert_to_tensor(tf.nest.flatten(self._value_fn(self._distribution))[-1])
                except AttributeError as error:  # Python would report a missing attribute `value`
                    raise ValueError(
                        f"{self._distribution!r} cannot be converted to a tensor with the `convert_to_tensor_fn` of "
                        f"its layer: {error}. Use another `convert_to_tensor_fn`, such as 'sample' or 'mean'."
                    ) from error
        return self._value

    def _creation_scope(self) -> contextlib.AbstractContextManager[Any]:
        if self._graph is not None:
            return self._graph.as_default()
        # `tf.init_scope` pauses gradient tapes, so it is used only inside a graph.
        return contextlib.nullcontext() if tf.executing_eagerly() else tf.init_scope()

    def with_value(
        self,
        value_fn: Callable[[Tensor], Tensor],
        distribution: Distribution | None = None,
        value_dtype: tf.DType | None = None,
    ) -> "DistributionTensor":
        """Returns the same distribution, or `distribution`, with a value computed from this one's value."""
        return DistributionTensor(
            self._distribution if distribution is None else distribution,
            lambda _: value_fn(self.value),
            self._rebuild_fn,
            value_dtype or self._value_dtype,
        )

    @property
    def dtype(self) -> tf.DType:
        dtype = self._value_dtype or self._distribution.dtype
        return dtype if isinstance(dtype, tf.DType) else self.value.dtype  # the last part's for a joint one

    def log_prob(self, value: Tensor, name: str = "log_prob", **kwargs: Any) -> Tensor:
        """Returns `log_prob` of the distribution at values `[..., *event]` of any numeric dtype."""
        return self._distribution.log_prob(self._event_values(value), name=name, **kwargs)

    def prob(self, value: Tensor, name: str = "prob", **kwargs: Any) -> Tensor:
        """Returns `prob` of the distribution at values `[..., *event]` of any numeric dtype."""
        return self._distribution.prob(self._event_values(value), name=name, **kwargs)

    def _event_values(self, value: Any) -> Any:
        """Casts values to the distribution's dtype, and rejects values that TFP would broadcast along an event axis."""
        dtype, event = self._distribution.dtype, self._distribution.event_shape
        if not isinstance(dtype, tf.DType):
            return value  # joint distribution
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
                f"`log_prob` of {self._distribution.name} with event shape {event} expects values of shape "
                f"(..., {', '.join(map(str, event))}). Reshape the data, or create the layer with the event shape of "
                f"the data. Received: shape={shape}"
            )
        try:
            tf.broadcast_static_shape(shape[:split], batch)
        except ValueError:
            raise ValueError(
                f"`log_prob` of {self._distribution.name} with batch shape {batch} and event shape {event} expects "
                f"values whose leading axes broadcast against the batch shape. The leading axes are {shape[:split]}. "
                f"Received: shape={shape}"
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
        # Called only for attributes that neither this class nor `tfd.Distribution` defines, such as `loc`.
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


_OVERRIDDEN = {"dtype", "log_prob", "prob"}
for _name in (name for name in _FORWARDED if name not in _OVERRIDDEN):
    _is_property = isinstance(getattr(tfd.Distribution, _name), property)
    setattr(DistributionTensor, _name, (_forward_property if _is_property else _forward_method)(_name))
for _name in _OPERATORS:
    setattr(DistributionTensor, _name, _operator_on_value(_name))


# TensorFlow dispatches operations only for registered types.
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
    """Returns the distribution with new batch axes for scalar events, whose value ends in a batch axis; else None."""
    batch_ndims = value.batch_shape.rank
    if (
        value.event_shape.rank != 0
        or batch_ndims != value.shape.rank
        or (value._rebuild_fn is None and batch_ndims > 1)
    ):
        return None
    return reshape_batch(value, axes_fn(value.batch_shape_tensor()))


def as_distribution(value: Any) -> Distribution:
    """Returns the plain TFP distribution behind the output of a distribution layer.

    Raises:
        TypeError: If `value` is not a distribution.
    """
    if isinstance(value, DistributionTensor):
        return value._distribution
    if isinstance(value, tfd.Distribution):
        return value
    raise TypeError(f"Expected a TFP distribution. Received: {value!r} (of type {type(value).__name__})")


def reshape_batch(value: Any, batch_shape: Tensor) -> Distribution:
    """Returns the plain distribution behind `value`, with its single batch axis split into `batch_shape`.

    Raises:
        TypeError: If `value` is not a distribution.
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
