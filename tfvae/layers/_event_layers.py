"""What the layers of one family share: those for an event shape, for a TFP class of one, and for a vector's size."""

from collections.abc import Callable
from typing import Any, ClassVar

from tfvae._serialization import Unsaved
from tfvae.layers._event_shape import event_shape_or_tensor, event_shape_tuple, event_size_of, is_symbolic
from tfvae.layers._parameterization import Parameterization
from tfvae.layers.distribution_layer import DistributionLayer
from tfvae.typing import ConvertToTensorFn, Distribution, Shape, Tensor


def size_config(size: Any, argument: str) -> Any:
    """A size as a configuration has it; a tensor of a graph is refused when it is saved."""
    if not is_symbolic(size):
        return size
    return Unsaved(
        size,
        f"{argument} cannot be saved: it is a tensor of a traced function. Build the layer with integers. "
        f"Received: {argument}={size!r}",
    )


class EventShapeLayer(DistributionLayer):
    """A layer for events of any shape; a concrete one declares `new` and `params_size`, both static.

    Args:
        event_shape: shape of one event, e.g. `(28, 28, 1)`; in a traced function, also a tensor.
        convert_to_tensor_fn: see `DistributionLayer`.
        validate_args: see `DistributionLayer`.
        **kwargs: see `DistributionLayer`.
    """

    # new(params, event_shape, ...), the distribution, and params_size(event_shape, ...), both static, as TFP has them.
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
    """A layer that is the name of a distribution class: its parameters are those that the class declares.

    Args:
        event_shape: shape of one event, e.g. `(28, 28, 1)`.
        convert_to_tensor_fn: see `DistributionLayer`.
        validate_args: see `DistributionLayer`.
        **kwargs: see `DistributionLayer`.
    """

    distribution_class: ClassVar[type]
    # Arguments of its constructor that are not parameters.
    fixed: ClassVar[dict[str, Any]] = {}
    # Constraints that replace TFP's, by parameter name; each a function of the parameters' dtype.
    bijectors: ClassVar[dict[str, Callable[[Any], Any]]] = {}

    @classmethod
    def new(
        cls, params: Tensor, event_shape: Shape | int = (), validate_args: bool = False, name: str | None = None
    ) -> Distribution:
        """The distribution with these parameters `[..., params_size(event_shape)]`."""
        return cls._parameterization(event_shape).make(params, validate_args, name)

    @classmethod
    def params_size(cls, event_shape: Shape | int = (), name: str | None = None) -> int:
        """The number of parameters a distribution of this event shape takes."""
        return cls._parameterization(event_shape).size

    @classmethod
    def _parameterization(cls, event_shape: Shape | int) -> Parameterization:
        shape = event_shape_tuple(event_shape)
        return Parameterization(cls.distribution_class, shape, cls.fixed, bijectors=cls.bijectors)


class EventSizeLayer(DistributionLayer):
    """A layer for vectors; a concrete one declares `new` and `params_size`, both static.

    Args:
        event_size: D, the number of dimensions; in a traced function, also a tensor.
        convert_to_tensor_fn: see `DistributionLayer`.
        validate_args: see `DistributionLayer`.
        **kwargs: see `DistributionLayer`.
    """

    # new(params, event_size, ...), the distribution, and params_size(event_size, ...), both static, as TFP has them.
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
