"""Names of the signatures of an exported model, without TensorFlow."""

SIGNATURES = ("encode", "decode", "reconstruct", "sample", "elbo", "log_marginal")
# Functions without draws, with independent results per example. Models of earlier versions do not have them.
MEANS = ("posterior", "likelihood")
# Probabilities of the classes, for models with labels.
CLASSIFY = "classify"
# TensorFlow's name of the signature for requests without a signature.
DEFAULT = "serving_default"
# Names of all functions of a model.
NAMES = (*SIGNATURES, *MEANS, CLASSIFY, DEFAULT)

_INTEGERS = {("sample", "label"), (CLASSIFY, "label")}


def is_integer(signature: str, name: str) -> bool:
    """Whether an input or output of a signature is int32. All others are float32."""
    return name in ("num_samples", "seed") or (signature, name) in _INTEGERS
