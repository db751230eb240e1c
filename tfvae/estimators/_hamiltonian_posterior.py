"""Distribution of the end of a leapfrog path."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tfvae._mapping import map_in_turn
from tfvae.estimators._leapfrog import Slope, SlopeFunction, evolved, retraced
from tfvae.estimators._with_momentum import OfPositionAndMomentum, WithMomentum
from tfvae.typing import Distribution, Tensor


class HamiltonianPosterior(OfPositionAndMomentum):
    """Distribution of u_K = (z_K, rho_K) `[B, 2, *event]`, for z_0 ~ q(z|x), rho_0 ~ N(0, I / beta_0) and K steps.

    log q(u_K) = log q(z_0|x) + log N(rho_0; 0, I / beta_0) - D log sqrt(beta_0), because the determinant of the map is
    sqrt(beta_0)^D. The density of a given u retraces the path.

    Args:
        position: q(z|x), of batch shape `[B]`.
        slope: The potential U(z) = -log p(x, z).
        step_size: Step size of each element `[*event]`.
        factors: The factors alpha_k of tempering, whose product is sqrt(beta_0).
        chunk_size: Number of draws per example that are moved at a time, an int or a scalar tensor. None moves all at
            once.
    """

    def __init__(
        self,
        position: Distribution,
        slope: SlopeFunction,
        *,
        step_size: Tensor,
        factors: Sequence[Tensor],
        chunk_size: Tensor | int | None = None,
    ):
        log_root_beta = tf.add_n([tf.math.log(factor) for factor in factors])
        self._first = WithMomentum(position, log_root_beta)
        self._path: dict[str, Any] = {"slope": slope, "step_size": step_size, "factors": factors}
        self._log_det = tf.cast(tf.reduce_prod(position.event_shape_tensor()), position.dtype) * log_root_beta
        self._chunk_size = chunk_size
        super().__init__(position, "hamiltonian_posterior", **self._path)

    def draw(self, sample_shape: Any, seed: Any) -> tuple[Tensor, Tensor, Slope]:
        """Returns draws of u_K, their log density `[*sample_shape, B]`, and the slope at z_K."""
        u, log_prob = self._first.experimental_sample_and_log_prob(sample_shape, seed=seed)
        z, rho, slope = evolved(*self.parts(u), **self._path)
        return self.joined(z, rho), log_prob - self._log_det, slope

    def _sample_and_log_prob(self, sample_shape: Any, seed: Any, **_: Any) -> tuple[Tensor, Tensor]:
        if self._chunk_size is None:
            return self.draw(sample_shape, seed)[:2]
        u, log_prob = self._first.experimental_sample_and_log_prob(sample_shape, seed=seed)
        return self._moved_in_chunks(u, self._chunk_size), log_prob - self._log_det

    def _log_prob(self, u: Tensor) -> Tensor:
        first = self.joined(*retraced(*self.parts(u), **self._path))
        return self._first.log_prob(first) - self._log_det

    def _moved_in_chunks(self, u: Tensor, chunk_size: Tensor | int) -> Tensor:
        """Moves u `[N, B, 2, *event]`; the last chunk is filled with copies of the last draw."""
        num_draws, size = tf.shape(u)[0], tf.minimum(tf.cast(chunk_size, tf.int32), tf.shape(u)[0])
        num_chunks = (num_draws + size - 1) // size
        rows = tf.minimum(tf.range(num_chunks * size), num_draws - 1)

        def moved(some: Tensor) -> Tensor:
            return self.joined(*evolved(*self.parts(tf.gather(u, some)), **self._path)[:2])

        chunks = map_in_turn(moved, tf.reshape(rows, [-1, size]), tf.TensorSpec([None, *u.shape[1:]], u.dtype))
        flat = tf.reshape(chunks, tf.concat([[-1], tf.shape(u)[1:]], axis=0))
        return tf.ensure_shape(flat[:num_draws], u.shape)
