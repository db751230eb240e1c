"""Losses for functional models whose output is a distribution."""

from tfvae import _backend as _backend
from tfvae.losses.negative_log_likelihood import negative_log_likelihood

__all__ = ["negative_log_likelihood"]
