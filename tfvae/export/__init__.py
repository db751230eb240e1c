"""Export: a trained VAE as a SavedModel that TensorFlow alone serves."""

from tfvae import _backend as _backend
from tfvae.export.loading import load
from tfvae.export.saving import save

__all__ = ["load", "save"]
