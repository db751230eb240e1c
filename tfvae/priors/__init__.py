"""Priors p(z), as Keras layers that own their weights."""

from tfvae import _backend as _backend
from tfvae.priors.fixed import Fixed
from tfvae.priors.prior import Prior
from tfvae.priors.standard_normal import StandardNormal

__all__ = ["Fixed", "Prior", "StandardNormal"]
