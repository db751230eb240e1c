"""Replacements for the names of `tfp.layers` that tfvae does not have."""

import difflib
from collections.abc import Iterable

_DENSE = (
    "for a posterior over the weights of a network, use tfvae.layers.VariationalWeights(network, num_examples) around "
    "any Keras layer or model, such as keras.layers.Dense(units)"
)
_CONVOLUTION = (
    "for a posterior over the weights of a convolution, use tfvae.layers.VariationalWeights(layer, num_examples) "
    "around a layer such as keras.layers.Conv{}D(filters, kernel_size)"
)
_WEIGHT_PRIOR = (
    "set the posterior and prior of weights with the arguments initial_scale and prior_scale of "
    "tfvae.layers.VariationalWeights"
)

_REPLACEMENTS = {
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
    "conv_variational": "use tfvae.layers.VariationalWeights around a Keras convolution",
    "dense_variational": "use tfvae.layers.VariationalWeights around keras.layers.Dense",
    "dense_variational_v2": "use tfvae.layers.VariationalWeights around keras.layers.Dense",
    "distribution_layer": "its layers are in tfvae.layers, such as tfvae.layers.DistributionLambda",
    "initializers": "use tfvae.layers.BlockwiseInitializer",
    "masked_autoregressive": "use tfvae.layers.AutoregressiveTransform",
    "variable_input": "use tfvae.layers.VariableLayer",
    "weight_norm": "tfvae has no weight normalisation; use keras.layers.SpectralNormalization",
    "WeightNorm": "tfvae has no weight normalisation; use keras.layers.SpectralNormalization",
    "AutoregressiveNetwork": "use tfvae.networks.AutoregressiveNetwork",
    "internal": "it is private in tfp.layers",
    "util": "it is private in tfp.layers",
}


def missing_attribute_message(name: str, known: Iterable[str]) -> str:
    """Returns the message of the AttributeError for `name`, with a replacement or the most similar known name."""
    message = f"module 'tfvae.layers' has no attribute {name!r}"
    if name in _REPLACEMENTS:
        return f"{message}: {_REPLACEMENTS[name]}. See docs/migrating-from-tfp-layers.md."
    lower = {candidate.lower(): candidate for candidate in known}
    similar = difflib.get_close_matches(name.lower(), lower, n=1)
    return f"{message}. Did you mean {lower[similar[0]]!r}?" if similar else f"{message}."
