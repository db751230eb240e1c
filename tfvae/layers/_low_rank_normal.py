"""Normal distribution N(loc, S S^T), S = diag(scale) + U U^T, accurate for factors U much larger than the scales."""

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.layers._double_precision import DoublePrecision
from tfvae.layers._normal import PhiloxNoise
from tfvae.typing import Tensor

tfd = tfp.distributions

_DIAGONAL = (tf.linalg.LinearOperatorDiag, tf.linalg.LinearOperatorIdentity, tf.linalg.LinearOperatorScaledIdentity)


class _LowRankUpdate(tf.linalg.LinearOperatorLowRankUpdate):
    """Linear operator D + U U^T with a positive diagonal D, whose gradients XLA compiles for an unknown batch size.

    Numerics:
        Let W = D^(-1/2) U. The condition number of the matrix I + W^T W in Woodbury's identity is the square of that of
        W. For large and nearly collinear factors, the matrix is numerically singular, so it is not computed. It equals
        R^T R, where R is the triangular factor of a QR decomposition of I stacked on W. All in float64.
    """

    def _root(self) -> tuple[Tensor, Tensor, Tensor]:
        """Returns D^(1/2) `[..., D]`, W `[..., D, r]` and R `[..., r, r]`."""
        root = tf.sqrt(tf.cast(self.base_operator.diag_part(), tf.float64))
        scaled = tf.cast(self.u, tf.float64) / root[..., tf.newaxis]
        rank = self.u.shape[-1]
        identity = tf.eye(rank, batch_shape=tf.shape(scaled)[:-2], dtype=tf.float64)
        return root, scaled, tf.linalg.qr(tf.concat([identity, scaled], axis=-2)).r

    def _log_abs_determinant(self) -> Tensor:
        # log det(D + U U^T) = log det D + log det(I + W^T W)
        root, _, r = self._root()
        pivots = tf.reduce_sum(r * tf.eye(r.shape[-1], dtype=r.dtype), axis=-1)
        log_det = tf.reduce_sum(tf.math.log(root), axis=-1) + tf.reduce_sum(tf.math.log(tf.abs(pivots)), axis=-1)
        return tf.cast(2.0 * log_det, self.dtype)

    def _solve(self, rhs: Tensor, adjoint: bool = False, adjoint_arg: bool = False) -> Tensor:
        # D^(-1/2) (I - W (R^T R)^-1 W^T) D^(-1/2) y
        root, scaled, r = self._root()
        y = tf.cast(tf.linalg.adjoint(rhs) if adjoint_arg else rhs, tf.float64) / root[..., tf.newaxis]
        inner = tf.matmul(scaled, y, transpose_a=True)
        inner = tf.linalg.triangular_solve(r, inner, lower=False, adjoint=True)
        inner = tf.linalg.triangular_solve(r, inner, lower=False)
        return tf.cast((y - tf.matmul(scaled, inner)) / root[..., tf.newaxis], self.dtype)


class LowRankNormal(PhiloxNoise, tfp.distributions.MultivariateNormalDiagPlusLowRank):
    """TFP's distribution in float64, with S declared positive definite.

    TFP does not declare it. It then takes the determinant of the r x r matrix I + U^T D^-1 U, which XLA cannot compile.

    Numerics:
        Draws are computed in float64 and rounded once. Their density is computed from the noise that produced them.
    """

    def __init__(
        self,
        loc: Tensor,
        scale_diag: Tensor,
        scale_perturb_factor: Tensor,
        validate_args: bool = False,
        allow_nan_stats: bool = True,
        name: str = "MultivariateNormalDiagPlusLowRank",
    ):
        parameters = dict(locals())
        diagonal = tf.linalg.LinearOperatorDiag(
            scale_diag, is_non_singular=True, is_self_adjoint=True, is_positive_definite=True
        )
        scale = _LowRankUpdate(diagonal, scale_perturb_factor, is_diag_update_positive=True)
        tfd.MultivariateNormalLinearOperator.__init__(
            self, loc, scale, validate_args=validate_args, allow_nan_stats=allow_nan_stats, name=name
        )
        self._parameters = parameters
        self._scale_diag, self._scale_perturb_factor, self._scale_perturb_diag = scale_diag, scale_perturb_factor, None

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: int | None = None) -> dict[str, Any]:
        return super()._parameter_properties(dtype, num_classes)

    def in_double_precision(self) -> "LowRankNormal":
        """Returns the same distribution in float64."""
        parameters = (self.loc, self._scale_diag, self._scale_perturb_factor)
        return LowRankNormal(*(tf.cast(parameter, tf.float64) for parameter in parameters))

    def _log_prob(self, value: Tensor, **kwargs: Any) -> Tensor:
        if self.dtype == tf.float64:
            return super()._log_prob(value, **kwargs)
        return tf.cast(self.in_double_precision().log_prob(tf.cast(value, tf.float64)), self.dtype)

    def _call_sample_n(self, sample_shape: Any, seed: Any, **kwargs: Any) -> Tensor:
        noise = self._maybe_broadcast_distribution_batch_shape().sample(sample_shape, seed, **kwargs)
        return self._transform_noise(noise)

    def _sample_and_log_prob(self, sample_shape: Any, seed: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        noise, log_prob = self._maybe_broadcast_distribution_batch_shape().experimental_sample_and_log_prob(
            sample_shape, seed, **kwargs
        )
        return self._transform_noise(noise), log_prob - self.scale.log_abs_determinant()

    def _transform_noise(self, noise: Tensor) -> Tensor:
        double = self.in_double_precision()
        return tf.cast(double.loc + double.scale.matvec(tf.cast(noise, tf.float64)), self.dtype)


class MultivariateNormalDiagPlusLowRankCovariance(
    DoublePrecision, tfp.distributions.MultivariateNormalDiagPlusLowRankCovariance
):
    """`tfd.MultivariateNormalDiagPlusLowRankCovariance` in float64, because it factorises I + U^T D^-1 U."""


def _in_double_precision(normal: Any) -> Any:
    if isinstance(normal, LowRankNormal):
        return normal.in_double_precision()
    scale = normal.scale
    if isinstance(scale, _DIAGONAL):
        operator = tf.linalg.LinearOperatorDiag(tf.cast(scale.diag_part(), tf.float64), is_non_singular=True)
    elif isinstance(scale, tf.linalg.LinearOperatorLowerTriangular):
        operator = tf.linalg.LinearOperatorLowerTriangular(tf.cast(scale.to_dense(), tf.float64), is_non_singular=True)
    else:
        operator = tf.linalg.LinearOperatorFullMatrix(tf.cast(scale.to_dense(), tf.float64), is_non_singular=True)
    return tfd.MultivariateNormalLinearOperator(tf.cast(normal.mean(), tf.float64), operator)


def _kl(a: Any, b: Any, name: str | None = None) -> Tensor:
    """Computes KL(a || b) in closed form.

    KL(a || b) = (|S_b^-1 S_a|^2 + |S_b^-1 (loc_a - loc_b)|^2 - D) / 2 + log det S_b - log det S_a.
    """
    with tf.name_scope(name or "kl_low_rank_normal"):
        a64, b64 = _in_double_precision(a), _in_double_precision(b)
        spread = tf.reduce_sum(tf.square(b64.scale.solve(a64.scale.to_dense())), axis=[-2, -1])
        distance = tf.reduce_sum(tf.square(b64.scale.solvevec(a64.loc - b64.loc)), axis=-1)
        log_ratio = b64.scale.log_abs_determinant() - a64.scale.log_abs_determinant()
        size = tf.cast(a64.scale.domain_dimension_tensor(), tf.float64)
        return tf.cast(0.5 * (spread + distance - size) + log_ratio, a.dtype)


for _pair in (
    (LowRankNormal, LowRankNormal),
    (LowRankNormal, tfd.MultivariateNormalLinearOperator),
    (tfd.MultivariateNormalLinearOperator, LowRankNormal),
):
    tfd.RegisterKL(*_pair)(_kl)
