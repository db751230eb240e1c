"""Variational inference for single examples: optimises a normal q(z) for each x."""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from tfvae._seeds import fold_in
from tfvae.typing import Seed, Tensor

_MOMENTUM, _DECAY = 0.9, 0.99


class Normals(NamedTuple):
    """A normal q(z) for each example.

    Attributes:
        loc: `[B, D]`.
        scale_tril: `[B, D, D]`, lower triangular with a positive diagonal.
    """

    loc: Tensor
    scale_tril: Tensor


def refine(
    log_joint: Callable[[Tensor], Tensor],
    start: Normals,
    *,
    full: bool,
    num_steps: int,
    num_pairs: int,
    learning_rate: float,
    seed: Seed,
) -> Normals:
    """Maximises the ELBO E_q[log p(x, z) - log q(z)] of each example over loc and scale, by Adam.

    The gradient is the path derivative alone, which is zero for every draw if q is the exact posterior, so that an
    optimal q does not move.

    Args:
        log_joint: Takes z `[S, B, D]` and returns log p(x, z) `[S, B]`.
        start: The initial q.
        full: Whether to optimise the full triangular scale or only its diagonal.
        num_steps: Number of steps of Adam, whose learning rate falls linearly to zero.
        num_pairs: S / 2, number of pairs of opposite draws per step. The error of loc, which is large if the start is
            far off, cancels in the gradient of the scale.
        learning_rate: The initial learning rate, in standard deviations of the current q.
        seed: An int32 tensor `[2]`; step t has the seed `fold_in(seed, t)`.

    Numerics:
        A step adds scale @ a to loc and replaces the scale by scale @ (1 + L), where the diagonal of 1 + L is updated
        by its logarithm, with a and L from Adam. The updates are therefore relative to the width of q. In these units
        the curvature at the exact posterior is 1 or 2. Adam's epsilon is the learning rate, so that small gradients
        give plain gradient ascent with step size 1, and rounding errors are not scaled up to a full step as with the
        usual 1e-7.

    References:
        Roeder, Wu & Duvenaud, Sticking the Landing, 2017, arXiv 1703.09194, equation 8; Kingma & Ba, Adam, 2014, arXiv
        1412.6980, algorithm 1.
    """
    dtype = start.loc.dtype
    shape = tf.shape(start.loc)
    ones = tf.ones([start.loc.shape[-1]] * 2, dtype)
    mask = tf.linalg.band_part(ones, -1 if full else 0, 0)

    def gradient(loc: Tensor, scale_tril: Tensor, seed: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the gradient by a and by L, at zero."""
        noise = tf.random.stateless_normal(tf.concat([[num_pairs], shape], 0), seed, dtype=dtype)
        noise = tf.concat([noise, -noise], axis=0)  # [S, B, D]
        z = loc + tf.einsum("bij,sbj->sbi", scale_tril, noise)
        z = tf.ensure_shape(z, [2 * num_pairs, *start.loc.shape])
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(z)
            value = log_joint(z)
        # -d log q / d z = scale^-T noise, at q held fixed; in units of the scale it is the noise.
        slope = tf.einsum("bji,sbj->sbi", scale_tril, tape.gradient(value, z)) + noise  # [S, B, D]
        return tf.reduce_mean(slope, axis=0), tf.einsum("sbi,sbj->bij", slope, noise) / (2 * num_pairs) * mask

    def step(t: Tensor, q: Normals, first: tuple[Tensor, ...], second: tuple[Tensor, ...]) -> tuple[Any, ...]:
        slopes = gradient(*q, fold_in(seed, t))
        time = tf.cast(t, dtype)
        rate = learning_rate * (1.0 - time / num_steps)
        first = tuple(_MOMENTUM * m + (1.0 - _MOMENTUM) * g for m, g in zip(first, slopes, strict=True))
        second = tuple(_DECAY * v + (1.0 - _DECAY) * g**2 for v, g in zip(second, slopes, strict=True))
        m_scale, v_scale = 1.0 - _MOMENTUM ** (time + 1.0), 1.0 - _DECAY ** (time + 1.0)
        shift, factor = (
            rate * (m / m_scale) / (tf.sqrt(v / v_scale) + learning_rate) for m, v in zip(first, second, strict=True)
        )
        factor = tf.linalg.set_diag(factor, tf.exp(tf.linalg.diag_part(factor)))
        q = Normals(q.loc + tf.linalg.matvec(q.scale_tril, shift), tf.linalg.matmul(q.scale_tril, factor))
        return t + 1, q, first, second

    zeros = (tf.zeros_like(start.loc), tf.zeros_like(start.scale_tril))
    _, q, _, _ = tf.while_loop(
        lambda t, *_: t < num_steps, step, (tf.constant(0), start, zeros, zeros), parallel_iterations=1
    )
    return q
