"""Maps vectors of unconstrained numbers to the parameters of a TFP distribution, using the properties of its class."""

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
    """The parameters of `distribution_class` as one vector, flattened and in the order of its constructor.

    TFP's `parameter_properties()` provides the parameters of a class, their shapes for a given event shape, and the
    bijector from unconstrained numbers to each parameter. Among alternatives (logits or probs), TFP's preferred one is
    used. If the class has fewer event axes than `event_shape`, the axes before them are independent.

    Args:
        distribution_class: A class of `tfp.distributions`.
        event_shape: Shape of one event, with the independent axes first.
        fixed: Constant parameters by name. None keeps the default of the class.
        num_classes: Number of categories, for classes that need it to infer the shapes of their parameters.
        bijectors: Constraints that replace TFP's, by parameter name. Each is a function of the parameters' dtype.

    Raises:
        TypeError: If `distribution_class` is not a distribution class.
        ValueError: If TFP does not define how to construct one of the parameters.

    Numerics:
        Positive parameters are at least 1e-5. Above that, they equal the output of TFP's bijector bit for bit.
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
                "`distribution_class` must be a class of tfp.distributions, such as tfd.Gamma. "
                f"Received: distribution_class={distribution_class!r}"
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
                f"`fixed` has names that tfd.{self.class_name} does not accept: {sorted(unknown)}. "
                f"Expected names from {sorted(properties)}. Received: fixed={self.fixed}"
            )
        self.parameters = [
            _Parameter(name, self._unconstrained_shape(name, properties[name]))
            for name in properties
            if name not in self.fixed and properties[name].is_preferred
        ]

        if not self.parameters:
            raise ValueError(
                f"All parameters of tfd.{self.class_name} are fixed, so none depends on an input. Use "
                f"DistributionLambda for a constant distribution. Received: fixed={self.fixed}"
            )

    @property
    def class_name(self) -> str:
        """The name of the class in `tfp.distributions`."""
        return self.distribution_class.__name__.lstrip("_")

    @property
    def size(self) -> int:
        """The number of parameters of one event."""
        return sum(parameter.size for parameter in self.parameters)

    def make(self, params: Tensor, validate_args: bool = False, name: str | None = None) -> Distribution:
        """Creates the distribution of batch shape `[...]` from unconstrained parameters `[..., size]`."""
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
        fixed = {key: _in_dtype(value, params.dtype) for key, value in self.fixed.items()}
        if self._has_float_dtype:
            fixed.setdefault("dtype", params.dtype)
        cls = stable_class(self.distribution_class)
        distribution = cls(**values, **fixed, validate_args=validate_args, name=name or self.class_name)
        independent = len(self.event_shape) - distribution.event_shape.rank
        if independent < 0 or tuple(distribution.event_shape) != self.event_shape[independent:]:
            raise ValueError(
                f"tfd.{self.class_name} requires an event shape that ends in {tuple(distribution.event_shape)}. "
                f"Received: event_shape={self.event_shape}"
            )
        if independent == 0 and distribution.event_shape.rank:
            return distribution
        return tfd.Independent(distribution, independent, validate_args=validate_args, name=name)

    def _properties(self, dtype: tf.DType) -> dict[str, Any]:
        try:
            return dict(self.distribution_class.parameter_properties(dtype=dtype, num_classes=self.num_classes))
        except NotImplementedError:
            raise ValueError(
                f"tfd.{self.class_name} does not define its parameter properties. "
                "Use DistributionLambda with a function that creates the distribution."
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
                f"tfd.{self.class_name} does not define how to construct its parameter {name!r} from a vector "
                f"({error}). Set it as a constant, fixed={{{name!r}: ...}}, set num_classes if it has categories, or "
                f"use DistributionLambda. Received: event_shape={self.event_shape}, num_classes={self.num_classes}"
            ) from None


def _in_dtype(value: Any, dtype: tf.DType) -> Any:
    """Converts floating-point constants to the dtype of the parameters, so float64 is preserved."""
    is_number = isinstance(value, float | np.ndarray | np.floating) and np.asarray(value).dtype.kind == "f"
    return tf.constant(value, dtype) if is_number else value
