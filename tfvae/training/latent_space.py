"""Which priors are on the space of a posterior, and what turns latents of a space into inputs of the decoder."""

import keras

from tfvae import layers
from tfvae.parts import FAMILIES, part_of
from tfvae.training.settings import ModelConfig

# Spaces other than that of real vectors.
_OF_POSTERIORS = {
    "gamma_sticks": "sticks",
    "kumaraswamy_sticks": "sticks",
    "logit_normal_sticks": "sticks",
    "von_mises_fisher": "sphere",
}
_OF_PRIORS = {"spherical_uniform": "sphere", "stick_breaking": "sticks"}
_OF_ANY = ("vamp",)  # made of posteriors


def fitting_priors(posterior: str) -> list[str]:
    """Returns the kinds of priors on the space of a kind of posterior."""
    space = _OF_POSTERIORS.get(posterior)
    known = FAMILIES["model.prior"].kinds
    found = [kind for kind in known if kind not in _OF_ANY and _OF_PRIORS.get(kind) == space]
    return [*found, *_OF_ANY] if space else [kind for kind in known if kind in found or kind in _OF_ANY]


def latent_layers(model: ModelConfig) -> list[keras.layers.Layer]:
    """Makes the layers that the decoder begins with, which turn z into the input of its network."""
    kind, _ = part_of(model.posterior, "model.posterior")
    if _OF_POSTERIORS.get(kind) != "sticks":
        return []
    # Shares have the mean 1 / K. Networks learn much faster from inputs of the mean 1.
    return [layers.StickBreaking(name="shares"), keras.layers.Rescaling(model.latent_size + 1.0, name="scaled_shares")]
