"""Export of a trained VAE as a SavedModel for TensorFlow, or as LiteRT or ONNX files."""

from tfvae import _backend as _backend
from tfvae.export.converted_model import ConvertedModel, Deviation
from tfvae.export.loading import load
from tfvae.export.manifest import read_manifest
from tfvae.export.saving import save
from tfvae.export.saving_litert import save_litert
from tfvae.export.saving_onnx import save_onnx
from tfvae.export.serving_config import save_serving_config

__all__ = [
    "ConvertedModel",
    "Deviation",
    "load",
    "read_manifest",
    "save",
    "save_litert",
    "save_onnx",
    "save_serving_config",
]
