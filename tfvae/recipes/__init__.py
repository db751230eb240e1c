"""Named models that put parts together: M1, M2 and M1+M2 of semi-supervised learning."""

from tfvae import _backend as _backend
from tfvae.recipes.latent_split import latent_split
from tfvae.recipes.m1 import LatentClassifier, m1
from tfvae.recipes.m2 import m2
from tfvae.recipes.stacked import stacked

__all__ = ["LatentClassifier", "latent_split", "m1", "m2", "stacked"]
