"""Distribution layer for continuous data with outliers."""

from collections.abc import Callable
from typing import Any, ClassVar

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._serialization import register
from tfvae.layers._event_layers import DeclaredLayer

tfb, tfd = tfp.bijectors, tfp.distributions


def _above_two(dtype: tf.DType) -> Any:
    return tfb.Chain([tfb.Shift(tf.constant(2.0, dtype)), tfb.Softplus()])


@register
class IndependentStudentT(DeclaredLayer):
    """Independent Student's t variables with learned degrees of freedom, for data with extreme outliers.

    Args:
        event_shape: Shape of one event, such as `(28, 28, 1)`.
        convert_to_tensor_fn: See `DistributionLayer`.
        validate_args: See `DistributionLayer`.
        **kwargs: See `DistributionLayer`.

    Call arguments:
        inputs: Parameters `[..., 3 * prod(event_shape)]`: all raw degrees of freedom, then all locs, then all raw
            scales.

    Returns:
        `Independent(StudentT(df, loc, scale))`, with variance scale^2 df / (df - 2).

    Numerics:
        df = 2 + softplus(raw), so mean and variance exist. scale = max(softplus(raw_scale), 1e-5).
    """

    distribution_class = tfd.StudentT
    bijectors: ClassVar[dict[str, Callable[[Any], Any]]] = {"df": _above_two}
