"""Any TFP distribution, from its class."""

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

    Which parameters there are, their shapes and how unconstrained numbers become them is read from the class's
    `parameter_properties()`. Prefer a layer of its own where there is one, `DistributionLambda` where the parameters
    should come from the input in another way.

    Args:
        distribution_class: the class, or its name in `tfp.distributions`.
        event_shape: shape of one event; where it has more axes than the distribution's own events, the axes before
            those are independent: `GenericDistribution(tfd.Dirichlet, (5, 3))` is 5 independent distributions over the
            simplex of 3.
        convert_to_tensor_fn: see `DistributionLayer`.
        validate_args: see `DistributionLayer`.
        fixed: parameters that are constants, by name, e.g. `{"total_count": 10.0}`; None leaves one at its default.
        num_classes: number of categories, for classes such as `tfd.Categorical` that need it.
        **kwargs: see `DistributionLayer`.

    Call arguments:
        inputs: `[..., params_size]`: the parameters in the order of the class's constructor, each flattened.

    Returns:
        The distribution, in `tfd.Independent` where `event_shape` has axes of its own.

    Raises:
        TypeError: when it is no distribution class.
        ValueError: when TFP does not say how to make a parameter, the class has events of another shape, or a fixed
            parameter is a variable.

    Numerics:
        Positive parameters are no lower than 1e-5; above that they are what TFP's bijector gives, to the last bit.

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
                    f"fixed[{name!r}] must be a constant: a variable there would never be trained. Use a "
                    f"DistributionLambda, whose function may read variables. Received: {value!r}"
                )
        self._parameterization = Parameterization(
            deserialize_class(distribution_class), event_shape_tuple(event_shape), fixed, num_classes
        )
        try:  # a wrong event shape shows now
            self._parameterization.make(tf.zeros([self.parameters_size]))
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"tfd.{self._parameterization.class_name} has no events of event_shape={self.event_shape}: {error}"
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
        """The distribution with these parameters `[..., params_size(distribution_class, event_shape)]`."""
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
        """The number of parameters a distribution of this class and event shape takes."""
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
