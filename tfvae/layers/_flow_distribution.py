"""Distribution of a normalizing flow, with moments that are averages over fixed draws."""

from typing import Any

import tensorflow_probability as tfp

from tfvae._dimensions import has_diagonal_scale
from tfvae.layers._fixed_draws import MomentsOfFixedDraws, opposite_noise
from tfvae.typing import Distribution, Tensor

tfd = tfp.distributions

# The class of `tfd.TransformedDistribution(...)` for bijectors that are no composite tensors. A subclass of the public
# class would have to be a composite tensor itself.
_TransformedDistribution: Any = tfp.distributions.TransformedDistribution.__mro__[1]


class FlowDistribution(MomentsOfFixedDraws, _TransformedDistribution):
    """Transformed diagonal normal, or flow of one, with `mean`, `stddev` and `variance`, which have no closed form.

    They are averages over 128 fixed draws, the same for each example, so they do not depend on a seed and differ little
    between similar examples. Their error is about 0.09 standard deviations for the mean at most, and much less if the
    transforms bend the normal slightly: the draws come in pairs loc +- scale * eps with mean zero and variance one in
    each dimension, so both moments are exact for the normal itself.

    Args:
        distribution: Diagonal normal of batch shape `[...]`, or a `FlowDistribution`; see `has_fixed_draws`.
        bijector: Transform of vectors.
        **kwargs: See `tfd.TransformedDistribution`.
    """

    def _fixed_draws(self) -> Tensor:
        return self.bijector.forward(_fixed_draws(self.distribution))


def has_fixed_draws(distribution: Distribution) -> bool:
    """Whether a `FlowDistribution` can transform this distribution."""
    if isinstance(distribution, tfd.MultivariateNormalLinearOperator):
        return has_diagonal_scale(distribution)
    if isinstance(distribution, tfd.Independent):
        return isinstance(distribution.distribution, tfd.Normal) and distribution.event_shape.rank == 1
    return isinstance(distribution, FlowDistribution)


def _fixed_draws(base: Distribution) -> Tensor:
    """Returns 128 draws `[128, ..., D]` of a diagonal normal or of a flow."""
    if isinstance(base, FlowDistribution):
        return base._fixed_draws()
    loc, scale = base.mean(), base.stddev()
    return loc + scale * opposite_noise(loc)
