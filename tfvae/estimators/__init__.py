"""Estimators of a lower bound on log p(x): pure functions of distributions."""

from tfvae import _backend as _backend
from tfvae.estimators.estimate import Estimate
from tfvae.estimators.estimator import Estimator
from tfvae.estimators.log_weights import log_weights
from tfvae.estimators.monte_carlo import AveragedELBO, ImportanceEstimate, averaged_elbo, importance_estimate
from tfvae.estimators.sgvb import SGVB

__all__ = [
    "SGVB",
    "AveragedELBO",
    "Estimate",
    "Estimator",
    "ImportanceEstimate",
    "averaged_elbo",
    "importance_estimate",
    "log_weights",
]
