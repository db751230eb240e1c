"""TFP's masked autoregressive flow around a network of ours, which it runs once for a density and not twice."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.typing import Tensor


def masked_autoregressive_flow(
    shift_and_log_scale_fn: Callable[[Tensor], tuple[Tensor, Tensor]], validate_args: bool = False
) -> Any:
    """The bijector u -> x with x_i = u_i * exp(log_scale(x)_i) + shift(x)_i.

    Args:
        shift_and_log_scale_fn: takes x `[..., D]` and returns shift and log_scale, each `[..., D]`, whose entries i
            depend on no x_j that comes after i in some order, nor on x_i itself.
        validate_args: see `tfb.MaskedAutoregressiveFlow`.
    """
    return tfp.bijectors.MaskedAutoregressiveFlow(_Remembered(shift_and_log_scale_fn), validate_args=validate_args)


class _Remembered:
    """The function, run once where TFP asks twice: for the inverse at x, and then for its Jacobian at the same x."""

    def __init__(self, fn: Callable[[Tensor], tuple[Tensor, Tensor]]):
        self._fn = fn
        self._last: tuple[Tensor, Any, tuple[Tensor, Tensor]] | None = None

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        # A tensor made inside a loop or a branch is of no use outside of it.
        graph = None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()
        last, self._last = self._last, None  # given once: a gradient tape may begin between this call and the next
        if last is not None and last[0] is x and last[1] is graph:
            return last[2]
        answer = self._fn(x)
        self._last = x, graph, answer
        return answer
