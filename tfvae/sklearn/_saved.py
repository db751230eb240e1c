"""A model as bytes, for pickle."""

import tempfile
from pathlib import Path

from tfvae.models import VAE
from tfvae.models.load import load_model

_FILE = "model.keras"


def to_bytes(vae: VAE) -> bytes:
    """Returns the `.keras` file of a model."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / _FILE
        vae.save(path)
        return path.read_bytes()


def from_bytes(content: bytes) -> VAE:
    """Returns the model of a `.keras` file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / _FILE
        path.write_bytes(content)
        return load_model(path)
