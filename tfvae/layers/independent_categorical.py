"""Several categories a variable."""

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
    """Independent categorical variables: table columns, tokens, pixels of few levels; events are class indices.

    Prefer `OneHotCategorical` for one variable whose events are one-hot vectors.

    Args:
        event_shape: shape of one event.
        num_classes: how many categories each variable has.
        convert_to_tensor_fn: see `DistributionLayer`; there is no mean.
        validate_args: see `DistributionLayer`.
        **kwargs: see `DistributionLayer`.

    Call arguments:
        inputs: logits `[..., prod(event_shape) * num_classes]`, the classes of one variable side by side.

    Returns:
        `Independent(Categorical(logits))` of dtype int32; `log_prob` takes the indices 0 ... num_classes - 1 in any
        number type.
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
        """The distribution with logits `params` `[..., prod(event_shape) * num_classes]`."""
        shape = event_shape_tuple(event_shape)
        return Parameterization(tfd.Categorical, shape, num_classes=num_classes).make(params, validate_args, name)

    @staticmethod
    def params_size(event_shape: Shape | int, num_classes: int, name: str | None = None) -> int:
        """The number of parameters a distribution of this event shape takes."""
        return Parameterization(tfd.Categorical, event_shape_tuple(event_shape), num_classes=int(num_classes)).size

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_classes": self.num_classes}
