"""Replacements of TFP distributions with numerically stable subclasses."""

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._serialization import public_class
from tfvae.layers._counts import BetaBinomial, Binomial, DirichletMultinomial, Multinomial, NegativeBinomial, Poisson
from tfvae.layers._gamma import Chi2, Gamma, InverseGamma
from tfvae.layers._low_rank_normal import MultivariateNormalDiagPlusLowRankCovariance
from tfvae.layers._one_hot_categorical import OneHotCategorical
from tfvae.layers._proportions import (
    Beta,
    Dirichlet,
    Kumaraswamy,
    LogitNormal,
    RelaxedBernoulli,
    RelaxedOneHotCategorical,
)

tfd = tfp.distributions

# Each class is a subclass of TFP's class of the same name, with the same arguments.
_STABLE: dict[Any, Any] = {
    getattr(tfd, cls.__name__): cls
    for cls in (
        *(Beta, BetaBinomial, Binomial, Chi2, Dirichlet, DirichletMultinomial, Gamma, InverseGamma, Kumaraswamy),
        *(LogitNormal, Multinomial, NegativeBinomial, OneHotCategorical, Poisson, RelaxedBernoulli),
        *(RelaxedOneHotCategorical, MultivariateNormalDiagPlusLowRankCovariance),
    )
}
_WRAPPERS = (tfd.Independent, tfd.Sample, tfd.BatchReshape, tfd.BatchBroadcast)
_JOINTS = (
    *(tfd.JointDistributionSequential, tfd.JointDistributionSequentialAutoBatched),
    *(tfd.JointDistributionNamed, tfd.JointDistributionNamedAutoBatched),
)


def stable_class(cls: Any) -> Any:
    """Returns the stable subclass of a class of `tfp.distributions`, or the class itself if there is none."""
    return _STABLE.get(cls, cls)


def stable(distribution: Any) -> Any:
    """Returns the same distribution as a stable subclass, if there is one.

    Distributions inside `Independent` and joint distributions are replaced too. Functions in a joint distribution are
    not changed.
    """
    cls = public_class(type(distribution))
    if cls in _STABLE and not isinstance(distribution, _STABLE[cls]):
        return _STABLE[cls](**distribution.parameters)
    if cls in _WRAPPERS:
        inner = stable(distribution.distribution)
        if inner is not distribution.distribution:
            return distribution.copy(distribution=inner)
    if cls in _JOINTS:
        parts = tf.nest.flatten(distribution.model)
        stable_parts = [stable(part) if isinstance(part, tfd.Distribution) else part for part in parts]
        if any(a is not b for a, b in zip(parts, stable_parts, strict=True)):
            return distribution.copy(model=tf.nest.pack_sequence_as(distribution.model, stable_parts))
    return distribution
