"""Latents of the Poincare ball as vectors, in which figures count in units of distance."""

import numpy as np
import tensorflow as tf

from tfvae._poincare import exp_origin, log_origin
from tfvae.evaluation._latents import example_prior
from tfvae.layers._ball_distribution import curvature_of
from tfvae.models import VAE


def to_tangent(vae: VAE, z: np.ndarray) -> np.ndarray:
    """Returns the vectors that the exponential map at the origin takes to latents; other latents are unchanged."""
    curvature = curvature_of(example_prior(vae))
    return z if curvature is None else 2.0 * log_origin(tf.constant(z), curvature).numpy()


def from_tangent(vae: VAE, u: np.ndarray) -> np.ndarray:
    """Returns the points of the ball at the distance |u| from the origin; vectors for other latents are unchanged."""
    curvature = curvature_of(example_prior(vae))
    return u if curvature is None else exp_origin(tf.constant(u) / 2.0, curvature).numpy()
