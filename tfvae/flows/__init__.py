"""Transforms of normalizing flows, as Keras layers whose weights are trained and saved with the model."""

from tfvae import _backend as _backend
