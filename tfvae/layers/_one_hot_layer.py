"""Base class of the layers for one-hot vectors."""

from typing import Any, ClassVar

import tensorflow as tf

from tfvae.layers._event_layers import EventSizeLayer
from tfvae.typing import ConvertToTensorFn


class OneHotLayer(EventSizeLayer):
    """Base class of layers for one-hot vectors; subclasses define the static methods `new` and `params_size`.

    Args:
        event_size: Number of categories, D.
        convert_to_tensor_fn: See `DistributionLayer`.
        sample_dtype: Dtype of samples and modes. Defaults to the dtype of the parameters.
        validate_args: See `DistributionLayer`.
        **kwargs: See `DistributionLayer`.
    """

    support: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def __init__(
        self,
        event_size: int,
        convert_to_tensor_fn: ConvertToTensorFn = "sample",
        sample_dtype: Any = None,
        validate_args: bool = False,
        **kwargs: Any,
    ):
        super().__init__(event_size, convert_to_tensor_fn, validate_args, **kwargs)
        self.sample_dtype = None if sample_dtype is None else tf.as_dtype(sample_dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "sample_dtype": None if self.sample_dtype is None else self.sample_dtype.name,
        }
