"""Auto-Encoding Variational Bayes (Kingma & Welling 2013, arXiv 1312.6114) on Keras 3.

Importing this package is fast, because sub-packages and TensorFlow are imported on first use.
"""

import importlib
import os
from typing import Any

from tfvae import _late_imports
from tfvae._log import add_fallback_handler
from tfvae._version import __version__

add_fallback_handler()

# Keras reads this variable when it is first imported. The layers of tfvae require TensorFlow.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
_late_imports.install()

_SUBPACKAGES = frozenset(
    {
        "callbacks",
        "data",
        "estimators",
        "evaluation",
        "execution",
        "export",
        "flows",
        "layers",
        "losses",
        "models",
        "networks",
        "papers",
        "parts",
        "priors",
        "recipes",
        "serving",
        "sklearn",
        "sweeps",
        "tables",
        "training",
    }
)

__all__ = [
    "__version__",
    "callbacks",
    "data",
    "estimators",
    "evaluation",
    "execution",
    "export",
    "flows",
    "layers",
    "load_model",
    "losses",
    "models",
    "networks",
    "papers",
    "parts",
    "priors",
    "recipes",
    "serving",
    "sklearn",
    "sweeps",
    "tables",
    "training",
]


def __getattr__(name: str) -> Any:
    if name in _SUBPACKAGES:
        return importlib.import_module(f"tfvae.{name}")
    if name == "load_model":
        return importlib.import_module("tfvae.models").load_model
    raise AttributeError(f"module 'tfvae' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
