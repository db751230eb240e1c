"""Distribution layer for any TFP distribution class."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._serialization import deserialize_class, deserialize_value, register, serialize_class, serialize_value
from tfvae.layers._event_shape import event_shape_tuple
from tfvae.layers._parameterization import Parameterization
from tfvae.layers.distribution_layer import DistributionLayer
from tfvae.typing import ConvertToTensorFn, Distribution, Shape, Tensor

tfd = tfp.distributions


@register
class GenericDistribution(DistributionLayer):
    """Turns any distribution class of TFP into a layer: `GenericDistribution(tfd.Gamma, (28, 28))`.

    The parameters, their shapes and their constraints are taken from the `parameter_properties()` of the class. Prefer
    a dedicated layer if there is one. Use `DistributionLambda` to compute the parameters from the input in another way.

    Args:
        distribution_class: The class, or its name in `tfp.distributions`.
        event_shape: Shape of one event. If it has more axes than the class's own events, the leading axes are
            independent: `GenericDistribution(tfd.Dirichlet, (5, 3))` is 5 independent distributions over the simplex
            with 3 components.
        convert_to_tensor_fn: See `DistributionLayer`.
        validate_args: See `DistributionLayer`.
        fixed: Constant parameters by name, such as `{"total_count": 10.0}`. A value of None keeps the default.
        num_classes: Number of categories, for classes such as `tfd.Categorical` that need it.
        **kwargs: See `DistributionLayer`.

    Call arguments:
        inputs: Parameters `[..., params_size]`, flattened and in the order of the class's constructor.

    Returns:
        The distribution, wrapped in `tfd.Independent` if `event_shape` has additional axes.

    Raises:
        TypeError: If `distribution_class` is not a distribution class.
        ValueError: If TFP does not define how to construct a parameter, if the class has events of another shape, or
            if a fixed parameter is a variable.

    Numerics:
        Positive parameters are at least 1e-5. Above that, they equal the output of TFP's bijector bit for bit.

    Example:
        >>> layer = GenericDistribution(tfd.Gamma, (28, 28))
        >>> dense = keras.layers.Dense(layer.parameters_size)
    """

    def __init__(
        self,
        distribution_class: type | str,
        event_shape: Shape | int = (),
        convert_to_tensor_fn: ConvertToTensorFn = "sample",
        validate_args: bool = False,
        fixed: Mapping[str, Any] | None = None,
        num_classes: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(convert_to_tensor_fn, validate_args, **kwargs)
        fixed = {name: deserialize_value(value) for name, value in dict(fixed or {}).items()}
        for name, value in fixed.items():
            if getattr(value, "trainable_variables", None) or getattr(value, "trainable", False):
                raise ValueError(
                    f"`fixed[{name!r}]` must be a constant, because a variable would not be trained. Use a "
                    f"DistributionLambda, whose function may read variables. Received: fixed[{name!r}]={value!r}"
                )
        self._parameterization = Parameterization(
            deserialize_class(distribution_class), event_shape_tuple(event_shape), fixed, num_classes
        )
        try:  # reports a wrong event shape at construction
            self._parameterization.make(tf.zeros([self.parameters_size]))
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"tfd.{self._parameterization.class_name} does not support event_shape={self.event_shape}: {error}"
            ) from None

    @property
    def event_shape(self) -> tuple[int, ...]:
        return self._parameterization.event_shape

    @property
    def parameters_size(self) -> int:
        return self._parameterization.size

    def make_distribution(self, parameters: Tensor) -> Distribution:
        return self._parameterization.make(parameters, self.validate_args)

    @staticmethod
    def new(
        params: Tensor,
        distribution_class: type | str,
        event_shape: Shape | int = (),
        validate_args: bool = False,
        name: str | None = None,
        fixed: Mapping[str, Any] | None = None,
        num_classes: int | None = None,
    ) -> Distribution:
        """Creates the distribution from parameters `[..., params_size(distribution_class, event_shape)]`."""
        cls, shape = deserialize_class(distribution_class), event_shape_tuple(event_shape)
        return Parameterization(cls, shape, fixed, num_classes).make(params, validate_args, name)

    @staticmethod
    def params_size(
        distribution_class: type | str,
        event_shape: Shape | int = (),
        name: str | None = None,
        fixed: Mapping[str, Any] | None = None,
        num_classes: int | None = None,
    ) -> int:
        """Returns the number of parameters of a distribution with this class and event shape."""
        cls, shape = deserialize_class(distribution_class), event_shape_tuple(event_shape)
        return Parameterization(cls, shape, fixed, num_classes).size

    def get_config(self) -> dict[str, Any]:
        parameterization = self._parameterization
        name = parameterization.distribution_class.__name__
        return {
            **super().get_config(),
            "distribution_class": serialize_class(parameterization.distribution_class),
            "event_shape": self.event_shape,
            "fixed": {key: serialize_value(value, f"{name}.{key}") for key, value in parameterization.fixed.items()},
            "num_classes": parameterization.num_classes,
        }
