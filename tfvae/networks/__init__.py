"""Networks for encoders and decoders, as plain Keras models and layers without probability."""

from tfvae import _backend as _backend
from tfvae.networks.autoregressive_network import AutoregressiveNetwork
from tfvae.networks.convolutional import conv_decoder, conv_encoder
from tfvae.networks.gated_mlp import GatedDense, gated_mlp
from tfvae.networks.gyroplane import Gyroplane
from tfvae.networks.gyroplane_mlp import gyroplane_mlp
from tfvae.networks.mlp import mlp
from tfvae.networks.mobius_dense import MobiusDense
from tfvae.networks.poincare_log_map import PoincareLogMap
from tfvae.networks.residual import residual_decoder, residual_encoder, residual_mlp
from tfvae.networks.residual_block import ResidualBlock

__all__ = [
    "AutoregressiveNetwork",
    "GatedDense",
    "Gyroplane",
    "MobiusDense",
    "PoincareLogMap",
    "ResidualBlock",
    "conv_decoder",
    "conv_encoder",
    "gated_mlp",
    "gyroplane_mlp",
    "mlp",
    "residual_decoder",
    "residual_encoder",
    "residual_mlp",
]
