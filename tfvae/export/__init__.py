"""Export of a trained VAE as a SavedModel for TensorFlow, or as LiteRT or ONNX files.

TensorFlow is imported by the functions that use it: a manifest is read, and a SavedModel is run, without it.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfvae.export.converted_model import ConvertedModel, Deviation
    from tfvae.export.loading import load
    from tfvae.export.manifest import read_manifest
    from tfvae.export.saving import save
    from tfvae.export.saving_litert import save_litert
    from tfvae.export.saving_onnx import save_onnx
    from tfvae.export.serving_config import save_serving_config

_MODULES = {
    "ConvertedModel": "converted_model",
    "Deviation": "converted_model",
    "load": "loading",
    "read_manifest": "manifest",
    "save": "saving",
    "save_litert": "saving_litert",
    "save_onnx": "saving_onnx",
    "save_serving_config": "serving_config",
}

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


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(importlib.import_module(f"tfvae.export.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'tfvae.export' has no attribute {name!r}")
