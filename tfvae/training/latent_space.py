"""Which priors are on the space of a posterior, and what turns latents of a space into inputs of the decoder."""

from typing import Any

import keras

from tfvae import layers, networks
from tfvae.parts import FAMILIES, part_of
from tfvae.parts.building import arguments_of
from tfvae.training.settings import ModelConfig

# The network whose decoder takes points of the Poincare ball.
GYROPLANE = "gyroplane_mlp"
# Spaces other than that of real vectors.
_OF_POSTERIORS = {
    "gamma_sticks": "sticks",
    "kumaraswamy_sticks": "sticks",
    "logit_normal_sticks": "sticks",
    "poincare_normal": "ball",
    "riemannian_normal": "ball",
    "von_mises_fisher": "sphere",
}
_OF_PRIORS = {
    "poincare_normal": "ball",
    "riemannian_normal": "ball",
    "spherical_uniform": "sphere",
    "stick_breaking": "sticks",
}
_OF_ANY = ("vamp",)  # made of posteriors


def is_bounded(posterior: str) -> bool:
    """Whether the space of a kind of posterior is a part of the real vectors, so that steps of z can leave it."""
    return _OF_POSTERIORS.get(posterior) in ("ball", "sphere")


def fitting_priors(posterior: str) -> list[str]:
    """Returns the kinds of priors on the space of a kind of posterior."""
    space = _OF_POSTERIORS.get(posterior)
    known = FAMILIES["model.prior"].kinds
    found = [kind for kind in known if kind not in _OF_ANY and _OF_PRIORS.get(kind) == space]
    return [*found, *_OF_ANY] if space else [kind for kind in known if kind in found or kind in _OF_ANY]


def ball_curvature(model: ModelConfig) -> float | None:
    """Returns the curvature of the Poincare ball of the posterior, or None for latents of another space."""
    kind, _ = part_of(model.posterior, "model.posterior")
    return argument(model.posterior, "model.posterior", "curvature") if _OF_POSTERIORS.get(kind) == "ball" else None


def argument(value: Any, setting: str, name: str) -> Any:
    """Returns an argument of a part, given or by default."""
    kind, given = part_of(value, setting)
    return given.get(name, arguments_of(setting, kind)[name].default)


def latent_layers(model: ModelConfig) -> list[keras.layers.Layer]:
    """Makes the layers that the decoder begins with, which turn z into the input of its network."""
    kind, _ = part_of(model.posterior, "model.posterior")
    curvature = ball_curvature(model)
    if curvature is not None and model.network_kind != GYROPLANE:
        return [networks.PoincareLogMap(curvature, name="log_map")]
    if _OF_POSTERIORS.get(kind) != "sticks":
        return []
    # Shares have the mean 1 / K. Networks learn much faster from inputs of the mean 1.
    return [layers.StickBreaking(name="shares"), keras.layers.Rescaling(model.latent_size + 1.0, name="scaled_shares")]
