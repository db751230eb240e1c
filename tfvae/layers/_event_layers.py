"""What the layers of one family of arguments share: those made for an event shape, and those for a vector's size."""

from typing import Any

from tfvae.layers._event_shape import event_shape_tuple, event_size_of
from tfvae.layers.distribution_layer import DistributionLayer
from tfvae.typing import ConvertToTensorFn, Distribution, Shape, Tensor


class EventShapeLayer(DistributionLayer):
    """A layer for events of any shape; a concrete one declares `new` and `params_size`, both static.

    Args:
        event_shape: shape of one event, e.g. `(28, 28, 1)`.
        convert_to_tensor_fn: see `DistributionLayer`.
        validate_args: see `DistributionLayer`.
        **kwargs: see `DistributionLayer`.
    """

    def __init__(
        self,
        event_shape: Shape | int = (),
        convert_to_tensor_fn: ConvertToTensorFn = "sample",
        validate_args: bool = False,
        **kwargs: Any,
    ):
        super().__init__(convert_to_tensor_fn, validate_args, **kwargs)
        self._event_shape = event_shape_tuple(event_shape)

    @property
    def event_shape(self) -> tuple[int, ...]:
        return self._event_shape

    @property
    def parameters_size(self) -> int:
        return self.params_size(self.event_shape)

    def make_distribution(self, parameters: Tensor) -> Distribution:
        return self.new(parameters, self.event_shape, validate_args=self.validate_args)

    @staticmethod
    def new(
        params: Tensor, event_shape: Shape | int = (), validate_args: bool = False, name: str | None = None
    ) -> Distribution:
        """The distribution with these parameters `[..., params_size(event_shape)]`."""
        raise NotImplementedError

    @staticmethod
    def params_size(event_shape: Shape | int = (), name: str | None = None) -> int:
        """The number of parameters a distribution of this event shape takes."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "event_shape": self.event_shape}


class EventSizeLayer(DistributionLayer):
    """A layer for vectors; a concrete one declares `new` and `params_size`, both static.

    Args:
        event_size: D, the number of dimensions.
        convert_to_tensor_fn: see `DistributionLayer`.
        validate_args: see `DistributionLayer`.
        **kwargs: see `DistributionLayer`.
    """

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
    def event_shape(self) -> tuple[int, ...]:
        return (self.event_size,)

    @property
    def parameters_size(self) -> int:
        return self.params_size(self.event_size)

    def make_distribution(self, parameters: Tensor) -> Distribution:
        return self.new(parameters, self.event_size, self.validate_args)

    @staticmethod
    def new(params: Tensor, event_size: int, validate_args: bool = False, name: str | None = None) -> Distribution:
        """The distribution with these parameters `[..., params_size(event_size)]`."""
        raise NotImplementedError

    @staticmethod
    def params_size(event_size: int, name: str | None = None) -> int:
        """The number of parameters a distribution of this size takes."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "event_size": self.event_size}
