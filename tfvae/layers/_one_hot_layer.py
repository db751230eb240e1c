"""What the layers of one-hot vectors share."""

from typing import Any, ClassVar

import tensorflow as tf

from tfvae.layers._event_layers import EventSizeLayer
from tfvae.typing import ConvertToTensorFn


class OneHotLayer(EventSizeLayer):
    """A layer for one-hot vectors; a concrete one declares `new` and `params_size`, both static.

    Args:
        event_size: D, the number of categories.
        convert_to_tensor_fn: see `DistributionLayer`.
        sample_dtype: dtype of samples and modes; that of the parameters by default.
        validate_args: see `DistributionLayer`.
        **kwargs: see `DistributionLayer`.
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
