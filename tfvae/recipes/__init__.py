"""Named models that put parts together: the functions only build a `tfvae.models.VAE` or its data."""

from tfvae import _backend as _backend
from tfvae.recipes.latent_split import latent_split
from tfvae.recipes.m2 import m2
from tfvae.recipes.stacked import stacked

__all__ = ["latent_split", "m2", "stacked"]
