"""A posterior with a few directions of correlation."""

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._numerics import softplus_scale
from tfvae._serialization import register
from tfvae.layers._event_layers import EventSizeLayer
from tfvae.layers._event_shape import event_size_of
from tfvae.layers._normal import PhiloxNoise
from tfvae.typing import ConvertToTensorFn, Distribution, Tensor

tfd = tfp.distributions


class _LowRankUpdate(tf.linalg.LinearOperatorLowRankUpdate):
    """D + U U^T with D a positive diagonal, in operations whose gradients XLA compiles for an unknown batch size."""

    def _make_capacitance(self, u: Tensor, v: Tensor) -> Tensor:
        """I + U^T D^-1 U, `[..., r, r]`."""
        scaled = u / self.base_operator.diag_part()[..., tf.newaxis]  # [..., D, r]
        return tf.matmul(v, scaled, transpose_a=True) + tf.eye(u.shape[-1], dtype=u.dtype)

    def _log_abs_determinant(self) -> Tensor:
        # log det(D + U U^T) = log det D + log det(I + U^T D^-1 U)
        cholesky = tf.linalg.cholesky(self._make_capacitance(self.u, self.v))
        pivots = tf.reduce_sum(cholesky * tf.eye(cholesky.shape[-1], dtype=cholesky.dtype), axis=-1)
        log_det_diagonal = tf.reduce_sum(tf.math.log(self.base_operator.diag_part()), axis=-1)
        return log_det_diagonal + 2.0 * tf.reduce_sum(tf.math.log(pivots), axis=-1)


class _PositiveDefiniteNormal(PhiloxNoise, tfp.distributions.MultivariateNormalDiagPlusLowRank):
    """TFP's distribution, with S known to be positive definite.

    TFP leaves that open, and then takes a determinant of the r x r matrix I + U^T D^-1 U, for which XLA has no kernel,
    where a Cholesky factor does.
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


@register
class MultivariateNormalDiagPlusLowRank(EventSizeLayer):
    """N(loc, S S^T) with S = diag(scale) + U U^T and U of a few columns: between a diagonal and a full covariance.

    It takes D (2 + rank) parameters where `MultivariateNormalTriL` takes D (D + 3) / 2.

    Args:
        event_size: D, the number of dimensions.
        rank: the number of columns of U, at least 1.
        convert_to_tensor_fn: see `DistributionLayer`.
        validate_args: see `DistributionLayer`.
        **kwargs: see `DistributionLayer`.

    Call arguments:
        inputs: `[..., D (2 + rank)]`: loc, then raw scale, then U row by row.

    Returns:
        `MultivariateNormalDiagPlusLowRank(loc, scale_diag, scale_perturb_factor)`.

    Numerics:
        scale = softplus(raw_scale) + 1e-5; U U^T keeps S positive definite.

    References:
        Rezende, Mohamed & Wierstra, Stochastic Backpropagation and Approximate Inference in Deep Generative Models,
        2014, arXiv 1401.4082, section 4.3 (there for the precision).
    """

    def __init__(
        self,
        event_size: int,
        rank: int = 1,
        convert_to_tensor_fn: ConvertToTensorFn = "sample",
        validate_args: bool = False,
        **kwargs: Any,
    ):
        super().__init__(event_size, convert_to_tensor_fn, validate_args, **kwargs)
        self.rank = event_size_of(rank, "rank")

    @property
    def parameters_size(self) -> int:
        return self.params_size(self.event_size, self.rank)

    def make_distribution(self, parameters: Tensor) -> Distribution:
        return self.new(parameters, self.event_size, self.rank, self.validate_args)

    @staticmethod
    def new(
        params: Tensor, event_size: int, rank: int = 1, validate_args: bool = False, name: str | None = None
    ) -> Distribution:
        """The distribution with these parameters `[..., event_size * (2 + rank)]`."""
        loc, raw_scale, factor = tf.split(
            tf.convert_to_tensor(params), [event_size, event_size, event_size * rank], axis=-1
        )
        return _PositiveDefiniteNormal(
            loc,
            softplus_scale(raw_scale),
            tf.reshape(factor, tf.concat([tf.shape(params)[:-1], [event_size, rank]], 0)),
            validate_args=validate_args,
            name=name or "MultivariateNormalDiagPlusLowRank",
        )

    @staticmethod
    def params_size(event_size: int, rank: int = 1, name: str | None = None) -> int:
        """The number of parameters a distribution of this size takes."""
        return event_size_of(event_size) * (2 + event_size_of(rank, "rank"))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rank": self.rank}
