"""What takes the place of the names of `tfp.layers` that tfvae does not have."""

import difflib
from collections.abc import Iterable

_DENSE = (
    "a posterior over the weights of a network is tfvae.layers.VariationalWeights(network, num_examples), around any "
    "Keras layer or model, such as keras.layers.Dense(units)"
)
_CONVOLUTION = (
    "a posterior over the weights of a convolution is tfvae.layers.VariationalWeights(layer, num_examples), around a "
    "layer such as keras.layers.Conv{}D(filters, kernel_size)"
)
_WEIGHT_PRIOR = (
    "the posterior and prior of weights are arguments of tfvae.layers.VariationalWeights: initial_scale and prior_scale"
)

_INSTEAD = {
    "DenseFlipout": _DENSE,
    "DenseLocalReparameterization": _DENSE,
    "DenseReparameterization": _DENSE,
    "DenseVariational": _DENSE,
    "Convolution1DFlipout": _CONVOLUTION.format(1),
    "Convolution1DReparameterization": _CONVOLUTION.format(1),
    "Convolution2DFlipout": _CONVOLUTION.format(2),
    "Convolution2DReparameterization": _CONVOLUTION.format(2),
    "Convolution3DFlipout": _CONVOLUTION.format(3),
    "Convolution3DReparameterization": _CONVOLUTION.format(3),
    "Conv1DFlipout": _CONVOLUTION.format(1),
    "Conv1DReparameterization": _CONVOLUTION.format(1),
    "Conv2DFlipout": _CONVOLUTION.format(2),
    "Conv2DReparameterization": _CONVOLUTION.format(2),
    "Conv3DFlipout": _CONVOLUTION.format(3),
    "Conv3DReparameterization": _CONVOLUTION.format(3),
    "default_loc_scale_fn": _WEIGHT_PRIOR,
    "default_mean_field_normal_fn": _WEIGHT_PRIOR,
    "default_multivariate_normal_fn": _WEIGHT_PRIOR,
    "conv_variational": "its layers are tfvae.layers.VariationalWeights around a convolution of Keras",
    "dense_variational": "its layers are tfvae.layers.VariationalWeights around keras.layers.Dense",
    "dense_variational_v2": "its layers are tfvae.layers.VariationalWeights around keras.layers.Dense",
    "distribution_layer": "its layers are names of tfvae.layers itself, such as tfvae.layers.DistributionLambda",
    "initializers": "its BlockwiseInitializer is tfvae.layers.BlockwiseInitializer",
    "masked_autoregressive": "its AutoregressiveTransform is tfvae.layers.AutoregressiveTransform",
    "variable_input": "its VariableLayer is tfvae.layers.VariableLayer",
    "weight_norm": "weight normalisation is no part of tfvae, and Keras has keras.layers.SpectralNormalization",
    "WeightNorm": "weight normalisation is no part of tfvae, and Keras has keras.layers.SpectralNormalization",
    "AutoregressiveNetwork": "it is tfvae.networks.AutoregressiveNetwork",
    "internal": "it is private in tfp.layers",
    "util": "it is private in tfp.layers",
}


def absence(name: str, known: Iterable[str]) -> str:
    """Why `tfvae.layers` has no such name, and what takes its place."""
    message = f"module 'tfvae.layers' has no attribute {name!r}"
    if name in _INSTEAD:
        return f"{message}: {_INSTEAD[name]}. See docs/migrating-from-tfp-layers.md."
    lower = {candidate.lower(): candidate for candidate in known}
    near = difflib.get_close_matches(name.lower(), lower, n=1)
    return f"{message}. Did you mean {lower[near[0]]!r}?" if near else f"{message}."
