"""Base classes of the distribution layers: for an event shape, for a TFP class, and for vectors."""

from collections.abc import Callable
from typing import Any, ClassVar

from tfvae._serialization import Unserializable
from tfvae.layers._event_shape import event_shape_or_tensor, event_shape_tuple, event_size_of, is_symbolic
from tfvae.layers._parameterization import Parameterization
from tfvae.layers.distribution_layer import DistributionLayer
from tfvae.typing import ConvertToTensorFn, Distribution, Shape, Tensor


def size_config(size: Any, argument: str) -> Any:
    """Returns a size for a configuration; a symbolic tensor raises an error when the configuration is saved."""
    if not is_symbolic(size):
        return size
    return Unserializable(
        size,
        f"{argument} cannot be saved, because it is a tensor of a traced function. Create the layer with integers. "
        f"Received: {argument}={size!r}",
    )


class EventShapeLayer(DistributionLayer):
    """Base class of layers for events of any shape; subclasses define the static methods `new` and `params_size`.

    Args:
        event_shape: Shape of one event, such as `(28, 28, 1)`. In a traced function, it may be a tensor.
        convert_to_tensor_fn: See `DistributionLayer`.
        validate_args: See `DistributionLayer`.
        **kwargs: See `DistributionLayer`.
    """

    # Static methods new(params, event_shape, ...) and params_size(event_shape, ...), as in TFP.
    new: ClassVar[Callable[..., Distribution]]
    params_size: ClassVar[Callable[..., int]]

    def __init__(
        self,
        event_shape: Shape | int = (),
        convert_to_tensor_fn: ConvertToTensorFn = "sample",
        validate_args: bool = False,
        **kwargs: Any,
    ):
        super().__init__(convert_to_tensor_fn, validate_args, **kwargs)
        self._event_shape = event_shape_or_tensor(event_shape)

    @property
    def event_shape(self) -> Any:
        return None if is_symbolic(self._event_shape) else self._event_shape

    @property
    def parameters_size(self) -> int | None:
        return self._known_size(self.params_size(self._event_shape))

    def make_distribution(self, parameters: Tensor) -> Distribution:
        return self.new(parameters, self._event_shape, validate_args=self.validate_args)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "event_shape": size_config(self._event_shape, "event_shape")}


class DeclaredLayer(EventShapeLayer):
    """Base class of layers for one distribution class, which declares the parameters.

    Args:
        event_shape: Shape of one event, such as `(28, 28, 1)`.
        convert_to_tensor_fn: See `DistributionLayer`.
        validate_args: See `DistributionLayer`.
        **kwargs: See `DistributionLayer`.
    """

    distribution_class: ClassVar[type]
    # Constructor arguments that are not parameters.
    fixed: ClassVar[dict[str, Any]] = {}
    # Constraints that replace TFP's, by parameter name. Each is a function of the parameters' dtype.
    bijectors: ClassVar[dict[str, Callable[[Any], Any]]] = {}

    @classmethod
    def new(
        cls, params: Tensor, event_shape: Shape | int = (), validate_args: bool = False, name: str | None = None
    ) -> Distribution:
        """Creates the distribution from parameters `[..., params_size(event_shape)]`."""
        return cls._parameterization(event_shape).make(params, validate_args, name)

    @classmethod
    def params_size(cls, event_shape: Shape | int = (), name: str | None = None) -> int:
        """Returns the number of parameters of a distribution with this event shape."""
        return cls._parameterization(event_shape).size

    @classmethod
    def _parameterization(cls, event_shape: Shape | int) -> Parameterization:
        shape = event_shape_tuple(event_shape)
        return Parameterization(cls.distribution_class, shape, cls.fixed, bijectors=cls.bijectors)


class EventSizeLayer(DistributionLayer):
    """Base class of layers for vectors; subclasses define the static methods `new` and `params_size`.

    Args:
        event_size: Number of dimensions, D. In a traced function, it may be a tensor.
        convert_to_tensor_fn: See `DistributionLayer`.
        validate_args: See `DistributionLayer`.
        **kwargs: See `DistributionLayer`.
    """

    # Static methods new(params, event_size, ...) and params_size(event_size, ...), as in TFP.
    new: ClassVar[Callable[..., Distribution]]
    params_size: ClassVar[Callable[..., int]]

    def __init__(
        self,
        event_size: int,
        convert_to_tensor_fn: ConvertToTensorFn = "sample",
        validate_args: bool = False,
        **kwargs: Any,
    ):
        super().__init__(convert_to_tensor_fn, validate_args, **kwargs)
        self.event_size = event_size_of(event_size)

    @property
    def event_shape(self) -> Any:
        return None if is_symbolic(self.event_size) else (self.event_size,)

    @property
    def parameters_size(self) -> int | None:
        return self._known_size(self.params_size(self.event_size))

    def make_distribution(self, parameters: Tensor) -> Distribution:
        return self.new(parameters, self.event_size, self.validate_args)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "event_size": size_config(self.event_size, "event_size")}
