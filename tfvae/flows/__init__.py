"""Transforms of normalizing flows, as Keras layers whose weights are trained and saved with the model."""

from tfvae import _backend as _backend
from tfvae.flows.coupling import Coupling
from tfvae.flows.inverse_autoregressive import InverseAutoregressive
from tfvae.flows.planar import Planar
from tfvae.flows.radial import Radial
from tfvae.flows.reverse import Reverse
from tfvae.flows.spline import Spline
from tfvae.flows.sylvester import Sylvester
from tfvae.flows.transform import Transform
from tfvae.flows.transform import checked_transforms as checked_transforms

__all__ = [
    "Coupling",
    "InverseAutoregressive",
    "Planar",
    "Radial",
    "Reverse",
    "Spline",
    "Sylvester",
    "Transform",
]
