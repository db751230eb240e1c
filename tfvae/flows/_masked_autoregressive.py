"""TFP's masked autoregressive flow with one evaluation of the network per density."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.typing import Tensor


def masked_autoregressive_flow(
    shift_and_log_scale_fn: Callable[[Tensor], tuple[Tensor, Tensor]], validate_args: bool = False
) -> Any:
    """Returns the bijector u -> x with x_i = u_i * exp(log_scale(x)_i) + shift(x)_i.

    Args:
        shift_and_log_scale_fn: Function from x `[..., D]` to shift and log_scale, each `[..., D]`. In some order of the
            dimensions, the outputs i depend only on the x_j before x_i.
        validate_args: See `tfb.MaskedAutoregressiveFlow`.
    """
    return tfp.bijectors.MaskedAutoregressiveFlow(_CachedFunction(shift_and_log_scale_fn), validate_args=validate_args)


class _CachedFunction:
    """Function with a cache of one result.

    For a density, TFP calls the function twice with the same x: for the inverse and for its Jacobian.
    """

    def __init__(self, fn: Callable[[Tensor], tuple[Tensor, Tensor]]):
        self._fn = fn
        self._cached: tuple[Tensor, Any, tuple[Tensor, Tensor]] | None = None

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        # A tensor from a loop or a branch cannot be used outside it.
        graph = None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()
        cached, self._cached = self._cached, None  # used only once: a gradient tape may start between two calls
        if cached is not None and cached[0] is x and cached[1] is graph:
            return cached[2]
        result = self._fn(x)
        self._cached = x, graph, result
        return result
