"""Draws of the latents of a trained model, as data for a second one."""

import numpy as np

from tfvae._checks import whole_number
from tfvae._seeds import split_seed
from tfvae.data import Split
from tfvae.evaluation._latents import encodings, require_vector
from tfvae.models import VAE
from tfvae.typing import Seed


def latent_split(vae: VAE, split: Split, *, num_draws: int = 1, batch_size: int = 500, seed: Seed = 0) -> Split:
    """Draws z ~ q(z|x) for each example, with its label: the data of the second model of `stacked`.

    A model that sees several draws per example learns how far q(z|x) spreads. One that sees only the means does not.

    Args:
        vae: A model with one vector of latents.
        split: Examples, whose labels may be -1 for unknown.
        num_draws: Number of draws per example.
        batch_size: Number of examples that are encoded at a time.
        seed: An int or an int32 tensor `[2]`.

    Returns:
        A split of `num_draws` times as many examples, float32 `[num_draws * N, D]`.

    Raises:
        ValueError: If the latents are not one vector.
    """
    require_vector(vae, "latent_split")
    seeds = split_seed(seed, whole_number(num_draws, "num_draws"), "latent_split")
    draws = [encodings(vae, split, batch_size=batch_size, seed=each).astype(np.float32) for each in seeds]
    labels = None if split.labels is None else np.tile(split.labels, num_draws)
    return Split(np.concatenate(draws), labels, name=f"latents of {split.name}", class_names=split.class_names)
