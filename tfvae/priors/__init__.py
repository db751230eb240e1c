"""Priors p(z) as Keras layers that own their weights."""

from tfvae import _backend as _backend
from tfvae.priors.categorical import Categorical
from tfvae.priors.conditional import Conditional
from tfvae.priors.fixed import Fixed
from tfvae.priors.flow import Flow
from tfvae.priors.joint import Joint
from tfvae.priors.mixture_of_gaussians import MixtureOfGaussians
from tfvae.priors.normal import Normal
from tfvae.priors.poincare_normal import PoincareNormal
from tfvae.priors.prior import Prior
from tfvae.priors.riemannian_normal import RiemannianNormal
from tfvae.priors.spherical_uniform import SphericalUniform
from tfvae.priors.standard_normal import StandardNormal
from tfvae.priors.stick_breaking import StickBreaking
from tfvae.priors.vamp_prior import VampPrior

__all__ = [
    "Categorical",
    "Conditional",
    "Fixed",
    "Flow",
    "Joint",
    "MixtureOfGaussians",
    "Normal",
    "PoincareNormal",
    "Prior",
    "RiemannianNormal",
    "SphericalUniform",
    "StandardNormal",
    "StickBreaking",
    "VampPrior",
]
