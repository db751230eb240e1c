"""Description of a model in its manifest, for clients."""

from collections.abc import Mapping
from typing import Any

from tfvae.export.labels import labels_of
from tfvae.models import VAE


def describe_model(vae: VAE, event_shape: tuple[int, ...]) -> dict[str, Any]:
    """Returns the shapes and the type of a model, and its condition, labels and missing values if it has them."""
    shape: Any = vae.latent_shape
    is_joint = isinstance(shape, Mapping)
    found: dict[str, Any] = {
        "event_shape": list(event_shape),
        "latent_shape": {name: list(part) for name, part in shape.items()} if is_joint else list(shape),
        "dtype": vae.variable_dtype,
    }
    if vae.condition_shape is not None:
        found["condition_shape"] = list(vae.condition_shape)
    if (labels := labels_of(vae)) is not None:
        found["labels"] = labels._asdict()
    if vae.missing is not None:
        found["missing"] = vae.missing
    return found
