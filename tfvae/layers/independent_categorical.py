"""Distribution layer for class indices."""

from typing import Any

import tensorflow_probability as tfp

from tfvae._serialization import register
from tfvae.layers._event_layers import EventShapeLayer
from tfvae.layers._event_shape import event_shape_tuple, event_size_of
from tfvae.layers._parameterization import Parameterization
from tfvae.typing import ConvertToTensorFn, Distribution, Shape, Tensor

tfd = tfp.distributions


@register
class IndependentCategorical(EventShapeLayer):
    """Independent categorical variables whose events are class indices: table columns, tokens, pixels with few levels.

    Prefer `OneHotCategorical` for one variable with one-hot events.

    Args:
        event_shape: Shape of one event.
        num_classes: Number of categories of each variable.
        convert_to_tensor_fn: See `DistributionLayer`. There is no "mean".
        validate_args: See `DistributionLayer`.
        **kwargs: See `DistributionLayer`.

    Call arguments:
        inputs: Logits `[..., prod(event_shape) * num_classes]`, with the classes of each variable next to each other.

    Returns:
        `Independent(Categorical(logits))` of dtype int32. `log_prob` accepts the indices 0 ... num_classes - 1 in any
        numeric dtype.
    """

    def __init__(
        self,
        event_shape: Shape | int,
        num_classes: int,
        convert_to_tensor_fn: ConvertToTensorFn = "sample",
        validate_args: bool = False,
        **kwargs: Any,
    ):
        super().__init__(event_shape, convert_to_tensor_fn, validate_args, **kwargs)
        self.num_classes = event_size_of(num_classes, "num_classes")

    @property
    def parameters_size(self) -> int:
        return self.params_size(self._event_shape, self.num_classes)

    def make_distribution(self, parameters: Tensor) -> Distribution:
        return self.new(parameters, self._event_shape, self.num_classes, self.validate_args)

    @staticmethod
    def new(
        params: Tensor,
        event_shape: Shape | int,
        num_classes: int,
        validate_args: bool = False,
        name: str | None = None,
    ) -> Distribution:
        """Creates the distribution from logits `params` `[..., prod(event_shape) * num_classes]`."""
        shape = event_shape_tuple(event_shape)
        return Parameterization(tfd.Categorical, shape, num_classes=num_classes).make(params, validate_args, name)

    @staticmethod
    def params_size(event_shape: Shape | int, num_classes: int, name: str | None = None) -> int:
        """Returns the number of parameters of a distribution with this event shape."""
        return Parameterization(tfd.Categorical, event_shape_tuple(event_shape), num_classes=int(num_classes)).size

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_classes": self.num_classes}
