"""Keras layer from sticks to shares that add up to one."""

from typing import Any

import keras
import tensorflow as tf

from tfvae._serialization import register
from tfvae.layers._inside_support import ends
from tfvae.layers._symbolic import symbolic_value
from tfvae.typing import Tensor


@register
class StickBreaking(keras.layers.Layer):
    """Turns K - 1 sticks into K shares: share_k = v_k prod_{j<k} (1 - v_j), and the last share is the rest.

    It is the first layer of the decoder of a stick-breaking VAE.

    Args:
        of_fractions: Whether inputs are the fractions v in (0, 1) instead of their log-odds log v - log(1 - v).
        log_shares: Whether to return the logarithms of the shares, which do not underflow.
        **kwargs: Arguments `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        inputs: Log-odds or fractions `[..., K - 1]`.

    Returns:
        Shares `[..., K]`, or their logarithms.

    Numerics:
        Shares are computed from cumulated sums of log(1 - v) = -softplus(u), in float32 also under mixed precision.
        The rest is not found by subtraction from 1, which would be zero after some dozens of sticks. Fractions that are
        rounded to 0 or 1 become the next numbers inside (0, 1).

    References:
        Sethuraman, A constructive definition of Dirichlet priors, 1994.
        Nalisnick & Smyth, Stick-Breaking Variational Autoencoders, 2017, arXiv 1605.06197, section 2.2.
    """

    def __init__(self, of_fractions: bool = False, log_shares: bool = False, **kwargs: Any):
        kwargs.setdefault("autocast", False)
        super().__init__(**kwargs)
        self.of_fractions, self.log_shares = bool(of_fractions), bool(log_shares)
        self.supports_masking = True

    def call(self, inputs: Any) -> Tensor:
        dtype = tf.float64 if self.variable_dtype == "float64" else tf.float32
        sticks = tf.cast(tf.convert_to_tensor(inputs), dtype)
        if self.of_fractions:
            v = tf.clip_by_value(sticks, *ends(dtype))
            log_v, log_rest = tf.math.log(v), tf.math.log1p(-v)
        else:
            log_v, log_rest = -tf.nn.softplus(-sticks), -tf.nn.softplus(sticks)
        log_shares = _log_shares(log_v, log_rest)
        return tf.cast(log_shares if self.log_shares else tf.exp(log_shares), self.compute_dtype)

    def compute_output_spec(self, inputs: Any) -> keras.KerasTensor:
        return symbolic_value(self.call, (inputs,), {})

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "of_fractions": self.of_fractions, "log_shares": self.log_shares}


def shares_of(log_odds: Tensor) -> Tensor:
    """Computes the shares `[..., K]` of log-odds `[..., K - 1]`."""
    return tf.exp(_log_shares(-tf.nn.softplus(-log_odds), -tf.nn.softplus(log_odds)))


def _log_shares(log_v: Tensor, log_rest: Tensor) -> Tensor:
    """Computes log share_k = log v_k + sum_{j<k} log(1 - v_j) `[..., K]`."""
    left = tf.cumsum(log_rest, axis=-1)
    none = tf.zeros_like(left[..., :1])
    return tf.concat([log_v, none], axis=-1) + tf.concat([none, left], axis=-1)
