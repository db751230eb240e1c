"""Named models that put parts together: the functions only build a `tfvae.models.VAE`."""

from tfvae import _backend as _backend
from tfvae.recipes.m2 import m2

__all__ = ["m2"]
