"""Bodies of encoders and decoders: tensor in, parameter tensor out, no probability; plain Keras models and layers."""

from tfvae import _backend as _backend
from tfvae.networks.autoregressive_network import AutoregressiveNetwork
from tfvae.networks.convolutional import conv_decoder, conv_encoder
from tfvae.networks.mlp import mlp

__all__ = ["AutoregressiveNetwork", "conv_decoder", "conv_encoder", "mlp"]
