"""How a vector of unconstrained numbers becomes the parameters of a TFP distribution: read from the class itself."""

import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._numerics import floor_raw_scale
from tfvae.layers._stable import stable_class
from tfvae.typing import Distribution, Shape, Tensor

tfb, tfd = tfp.bijectors, tfp.distributions


class _Parameter(NamedTuple):
    name: str
    unconstrained_shape: tuple[int, ...]

    @property
    def size(self) -> int:
        return math.prod(self.unconstrained_shape)


class Parameterization:
    """The parameters of `distribution_class`, one after another in the order of its constructor, each flattened.

    TFP's `parameter_properties()` says which parameters a class has, their shapes for an event of given shape, and the
    bijector from unconstrained numbers to each. Of alternatives (logits or probs) it is the one that TFP prefers.
    Where the class has fewer event axes than `event_shape`, the axes before them are independent.

    Args:
        distribution_class: a class of `tfp.distributions`.
        event_shape: shape of one event, independent axes first.
        fixed: parameters that are constants, by name; None leaves one at the class's default.
        num_classes: number of categories, for classes that need it to know the shape of their parameters.
        bijectors: constraints that replace TFP's, by parameter name, each a function of the parameters' dtype.

    Raises:
        TypeError: when it is no distribution class.
        ValueError: when TFP does not say how to make one of the parameters.

    Numerics:
        Positive parameters are no lower than 1e-5; above that they are what TFP's bijector gives, to the last bit.
    """

    def __init__(
        self,
        distribution_class: Any,
        event_shape: Shape,
        fixed: Mapping[str, Any] | None = None,
        num_classes: int | None = None,
        bijectors: Mapping[str, Callable[[tf.DType], Any]] | None = None,
    ):
        if not (isinstance(distribution_class, type) and issubclass(distribution_class, tfd.Distribution)):
            raise TypeError(
                "distribution_class is a class of tfp.distributions, such as tfd.Gamma. "
                f"Received: {distribution_class!r}."
            )
        self.distribution_class: Any = distribution_class
        self.event_shape = tuple(event_shape)
        self.fixed = dict(fixed or {})
        self.num_classes = num_classes
        self._bijectors = dict(bijectors or {})
        properties = self._properties(tf.float32)
        arguments = inspect.signature(distribution_class).parameters
        default_dtype = arguments["dtype"].default if "dtype" in arguments else None
        self._has_float_dtype = isinstance(default_dtype, tf.DType) and default_dtype.is_floating
        unknown = set(self.fixed) - set(arguments)
        if unknown:
            raise ValueError(
                f"fixed names {sorted(unknown)}, which tfd.{self.class_name} does not take. "
                f"It takes: {sorted(properties)}."
            )
        self.parameters = [
            _Parameter(name, self._unconstrained_shape(name, properties[name]))
            for name in properties
            if name not in self.fixed and properties[name].is_preferred
        ]

        if not self.parameters:
            raise ValueError(
                f"tfd.{self.class_name} has no parameters left to make from an input. Use DistributionLambda for a "
                "distribution of constants."
            )

    @property
    def class_name(self) -> str:
        """The name that the distribution has in `tfp.distributions`."""
        return self.distribution_class.__name__.lstrip("_")

    @property
    def size(self) -> int:
        """The number of parameters of one event."""
        return sum(parameter.size for parameter in self.parameters)

    def make(self, params: Tensor, validate_args: bool = False, name: str | None = None) -> Distribution:
        """The distribution with the unconstrained parameters `[..., size]`, of batch shape `[...]`."""
        params = tf.convert_to_tensor(params)
        properties = self._properties(params.dtype)
        batch_shape = tf.shape(params)[:-1]
        values = {}
        parts = tf.split(params, [parameter.size for parameter in self.parameters], axis=-1)
        for parameter, part in zip(self.parameters, parts, strict=True):
            bijector = self._bijector(parameter.name, properties[parameter.name], params.dtype)
            raw = tf.reshape(part, tf.concat([batch_shape, np.asarray(parameter.unconstrained_shape, np.int32)], 0))
            if isinstance(bijector, tfb.Softplus):
                raw = floor_raw_scale(raw)
            values[parameter.name] = bijector.forward(raw)
        fixed = {key: _as(value, params.dtype) for key, value in self.fixed.items()}
        if self._has_float_dtype:
            fixed.setdefault("dtype", params.dtype)
        cls = stable_class(self.distribution_class)
        made = cls(**values, **fixed, validate_args=validate_args, name=name or self.class_name)
        independent = len(self.event_shape) - made.event_shape.rank
        if independent < 0 or tuple(made.event_shape) != self.event_shape[independent:]:
            raise ValueError(
                f"tfd.{self.class_name} has events of shape {tuple(made.event_shape)}, possibly with "
                f"independent axes before. Received event_shape={self.event_shape}."
            )
        if independent == 0 and made.event_shape.rank:
            return made
        return tfd.Independent(made, independent, validate_args=validate_args, name=name)

    def _properties(self, dtype: tf.DType) -> dict[str, Any]:
        try:
            return dict(self.distribution_class.parameter_properties(dtype=dtype, num_classes=self.num_classes))
        except NotImplementedError:
            raise ValueError(
                f"tfd.{self.class_name} does not say what its parameters are. "
                "Use DistributionLambda with a function that makes it."
            ) from None

    def _bijector(self, name: str, properties: Any, dtype: tf.DType) -> Any:
        if name in self._bijectors:
            return self._bijectors[name](dtype)
        return properties.default_constraining_bijector_fn()

    def _unconstrained_shape(self, name: str, properties: Any) -> tuple[int, ...]:
        try:
            shape = tf.TensorShape(properties.shape_fn(np.asarray(self.event_shape, np.int32)))
            return tuple(self._bijector(name, properties, tf.float32).inverse_event_shape(shape).as_list())
        except (NotImplementedError, TypeError, ValueError, IndexError) as error:
            raise ValueError(
                f"tfd.{self.class_name} does not say how to make its parameter {name!r} from a vector for "
                f"event_shape={self.event_shape}, num_classes={self.num_classes} ({error}). Give it as a constant, "
                f"fixed={{{name!r}: ...}}, or num_classes where it has categories, or use DistributionLambda."
            ) from None


def _as(value: Any, dtype: tf.DType) -> Any:
    """Constants in the dtype of the parameters, so that float64 stays float64."""
    is_number = isinstance(value, float | np.ndarray | np.floating) and np.asarray(value).dtype.kind == "f"
    return tf.constant(value, dtype) if is_number else value
