"""TensorFlow module with the signatures of an exported VAE."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from tfvae.export.labels import labels_of
from tfvae.export.signature_functions import SignatureFunctions
from tfvae.export.signature_inputs import Given, SignatureInputs
from tfvae.export.signature_names import CLASSIFY, NAMES, is_integer
from tfvae.models import VAE
from tfvae.typing import Tensor


class Signatures(tf.Module):
    """Functions of a VAE as graphs over `tf.Variable`s, without objects of Keras, TFP or tfvae.

    Results depend only on the inputs and on `seed`. For the same seed they equal those of the model in Python: `encode`
    draws `vae.encode(x).sample(seed=seed)`, `decode` draws `vae.decode(z).sample(seed=seed)`, the mean of
    `reconstruct` is `vae.reconstruct(x, seed=seed)`, and `sample` draws `vae.sample(num_samples, seed=seed)`
    (`models.queries`).

    Args:
        vae: Built model whose latents are one tensor or named parts.
        event_shape: Shape of one x.
        names: Names of the functions to create, from `NAMES`. Functions that the model does not have are left out.
        checks: Whether the graphs check conditions, which other formats cannot.

    Attributes:
        model_variables: The `tf.Variable`s that the functions read.
    """

    def __init__(self, vae: VAE, event_shape: tuple[int, ...], names: Sequence[str] = NAMES, *, checks: bool = True):
        super().__init__(name="vae")
        labels = labels_of(vae)
        inputs = SignatureInputs(vae, event_shape, labels, checks=checks)
        functions = SignatureFunctions(vae, labels)
        self._names = tuple(name for name in names if name != CLASSIFY or labels is not None)
        for name in self._names:
            setattr(self, name, _traced(name, getattr(functions, name), inputs))
        traced = [getattr(self, name).get_concrete_function() for name in self._names]
        read = {id(variable): variable for function in traced for variable in function.graph.variables}
        of_model = [id(each) for v in vae.variables for each in (v.value, *_copies(v.value))]
        in_order = [read.pop(each) for each in of_model if each in read]
        # The other variables belong to no layer, such as those in the TFP distribution of a `Fixed` prior.
        self.model_variables = [*in_order, *read.values()]

    def by_name(self) -> dict[str, Any]:
        """Returns the functions by signature."""
        functions = {name: getattr(self, name) for name in self._names}
        # A family without known parameters and moments has no outputs without a draw.
        return {name: function for name, function in functions.items() if _outputs(function)}


def described(functions: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the shapes of the inputs and outputs of functions, by signature."""
    return {
        name: {
            "inputs": {spec.name: spec.shape.as_list() for spec in function.input_signature},
            "outputs": {key: spec.shape.as_list() for key, spec in _outputs(function).items()},
        }
        for name, function in functions.items()
    }


def _copies(variable: Any) -> Sequence[Any]:
    """Returns the variables of the devices, the first of which is read in a SavedModel."""
    return variable.values if isinstance(variable, tf.distribute.DistributedValues) else ()


def _outputs(function: Any) -> dict[str, Any]:
    return function.get_concrete_function().structured_outputs


def _traced(signature: str, answer: Callable[[Given], dict[str, Tensor]], inputs: SignatureInputs) -> Any:
    specs = inputs.specs(signature)

    def traced(*tensors: Tensor) -> dict[str, Tensor]:
        outputs = answer(inputs.given(signature, tensors))
        return {
            name: tf.cast(value, tf.int32 if is_integer(signature, name) else tf.float32)
            for name, value in outputs.items()
        }

    # The arguments of the function have the names of its inputs.
    parameters = [inspect.Parameter(spec.name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for spec in specs]
    traced.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    traced.__name__ = signature
    return tf.function(traced, input_signature=specs, autograph=False)
