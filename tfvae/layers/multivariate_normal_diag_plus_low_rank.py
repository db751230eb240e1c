"""Distribution layer for normal distributions with a diagonal plus low-rank scale."""

from typing import Any

import tensorflow as tf

from tfvae._numerics import softplus_scale
from tfvae._serialization import register
from tfvae.layers._event_layers import EventSizeLayer
from tfvae.layers._event_shape import event_size_of
from tfvae.layers._low_rank_normal import LowRankNormal
from tfvae.typing import ConvertToTensorFn, Distribution, Tensor


@register
class MultivariateNormalDiagPlusLowRank(EventSizeLayer):
    """Normal distribution N(loc, S S^T) with S = diag(scale) + U U^T, where U has few columns.

    It is a compromise between a diagonal and a full covariance: it has D (2 + rank) parameters, and
    `MultivariateNormalTriL` has D (D + 3) / 2.

    Args:
        event_size: Number of dimensions, D.
        rank: Number of columns of U, at least 1.
        convert_to_tensor_fn: See `DistributionLayer`.
        validate_args: See `DistributionLayer`.
        **kwargs: See `DistributionLayer`.

    Call arguments:
        inputs: Parameters `[..., D (2 + rank)]`: loc, then raw scale, then U row by row.

    Returns:
        `MultivariateNormalDiagPlusLowRank(loc, scale_diag, scale_perturb_factor)`.

    Numerics:
        scale = softplus(raw_scale) + 1e-5, so S is positive definite. Draws, densities and divergences are computed in
        float64 and rounded once, so large and nearly collinear factors are accurate with small scales too.

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
        """Creates the distribution from parameters `[..., event_size * (2 + rank)]`."""
        loc, raw_scale, factor = tf.split(
            tf.convert_to_tensor(params), [event_size, event_size, event_size * rank], axis=-1
        )
        return LowRankNormal(
            loc,
            softplus_scale(raw_scale),
            tf.reshape(factor, tf.concat([tf.shape(params)[:-1], [event_size, rank]], 0)),
            validate_args=validate_args,
            name=name or "MultivariateNormalDiagPlusLowRank",
        )

    @staticmethod
    def params_size(event_size: int, rank: int = 1, name: str | None = None) -> int:
        """Returns the number of parameters of a distribution of this size."""
        return event_size_of(event_size) * (2 + event_size_of(rank, "rank"))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rank": self.rank}
