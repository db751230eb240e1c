"""How a distribution travels through Keras 3: an object that is a distribution and converts to a tensor.

Keras 3 passes whatever a layer returns to the next one and asks two things of it: that `tf.is_tensor` holds, else
`compile(loss=...)`, masks and activity regularisers leave it out; and that it converts, when an ordinary layer or a
metric wants numbers. `DistributionTensor` answers both and forwards everything else to the distribution it holds. It
is not a `CompositeTensor`, which `tf.function` would take apart instead of converting.

Everything that knows of this is in this file; elsewhere tfvae works on plain distributions (`as_distribution`).
"""

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

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
    """

    def __init__(
        self,
        distribution: Distribution,
        value_fn: Callable[[Distribution], Tensor],
        rebuild_fn: Callable[[Tensor], Distribution] | None = None,
    ):
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
    def value(self) -> Tensor:
        """The tensor this converts to, computed at the first use and kept."""
        if self._value is None:
            with self._where_made():
                try:
                    self._value = tf.convert_to_tensor(self._value_fn(self._distribution))
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


for _name in _FORWARDED:
    _is_property = isinstance(getattr(tfd.Distribution, _name), property)
    setattr(DistributionTensor, _name, (_forward_property if _is_property else _forward_method)(_name))
for _name in _OPERATORS:
    setattr(DistributionTensor, _name, _operator_on_value(_name))


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
