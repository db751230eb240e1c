"""Checks that posterior and prior are distributions over the same space."""

from tfvae.parts import part_of
from tfvae.training.latent_space import fitting_priors
from tfvae.training.settings import ModelConfig


def check_prior(model: ModelConfig) -> None:
    """Raises ValueError if posterior and prior are not on the same space."""
    posterior, _ = part_of(model.posterior, "model.posterior")
    prior, _ = part_of(model.prior, "model.prior")
    fitting = fitting_priors(posterior)
    if prior not in fitting:
        expected = " or ".join(fitting) if len(fitting) == 2 else ", ".join(fitting)
        raise ValueError(
            f"model.prior must be {expected} with the posterior {posterior}: both must be distributions over the same "
            f"space. Received: model.prior={prior!r}"
        )
    if posterior == "von_mises_fisher" and model.latent_size == 1:
        raise ValueError(
            "model.latent_size must be at least 2 with the posterior von_mises_fisher, whose values are on a sphere. "
            "Received: model.latent_size=1"
        )
