"""TFP's masked autoregressive flow with one evaluation of the network per density."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow_probability as tfp

from tfvae.flows._kept_result import KeptResult
from tfvae.networks import AutoregressiveNetwork
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


def start_as_identity(network: AutoregressiveNetwork) -> None:
    """Sets the last kernels of a built network of shifts and log scales to zero."""
    for kernels in (network.kernels, network.conditional_kernels):
        for kernel in kernels[-1:]:
            kernel.assign(np.zeros(kernel.shape))


class _CachedFunction:
    """Function whose last result is kept: for a density, TFP calls it twice with the same x."""

    def __init__(self, fn: Callable[[Tensor], tuple[Tensor, Tensor]]):
        self._fn, self._result = fn, KeptResult()

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        kept = self._result.take(x)
        if kept is not None:
            return kept
        result = self._fn(x)
        self._result.keep(x, result)
        return result
