"""Export: a trained VAE as a SavedModel that TensorFlow alone serves."""

from tfvae import _backend as _backend
from tfvae.export.loading import load
from tfvae.export.manifest import read_manifest
from tfvae.export.saving import save
from tfvae.export.serving_config import save_serving_config

__all__ = ["load", "read_manifest", "save", "save_serving_config"]
