"""Networks for encoders and decoders, as plain Keras models and layers without probability."""

from tfvae import _backend as _backend
from tfvae.networks.autoregressive_network import AutoregressiveNetwork
from tfvae.networks.convolutional import conv_decoder, conv_encoder
from tfvae.networks.mlp import mlp

__all__ = ["AutoregressiveNetwork", "conv_decoder", "conv_encoder", "mlp"]
