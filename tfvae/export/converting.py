"""Conversion of encoder and decoder to another format. Files are written only after a comparison on real data."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae._seeds import stateless_seed
from tfvae.export.checks import event_shape_of, require_one_vector_or_labels, require_vae
from tfvae.export.converted_model import ConvertedModel, Deviation
from tfvae.export.description import describe_model
from tfvae.export.folders import Kind, free_target, new_folder
from tfvae.export.manifest import CONVERTED_MANIFEST, write_manifest
from tfvae.export.messages import first_line
from tfvae.export.real_examples import RealExamples, real_examples
from tfvae.export.signature_names import CLASSIFY, MEANS
from tfvae.export.signatures import Signatures, described
from tfvae.models import VAE
from tfvae.priors import Conditional

_BATCH_SIZE = 100

# Files by the function that they run.
_NETWORKS = {"posterior": "encoder", "likelihood": "decoder", CLASSIFY: "classifier"}

Inputs = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Network:
    """Encoder, decoder or classifier of a model, to be converted.

    Attributes:
        name: "encoder", "decoder" or "classifier".
        module: Module with the variables.
        function: `tf.function` of float32 inputs, such as "x", "z" and "condition", with any batch size.
        calibration: Typical inputs `[n, ...]` by name, for formats that need the range of every number.
    """

    name: str
    module: tf.Module
    function: Any
    calibration: Inputs


@dataclass(frozen=True)
class File:
    """Converted network.

    Attributes:
        name: Name of the file within the folder.
        precision: Precision of the file.
        content: Content of the file.
        run: Function that runs the network.
    """

    name: str
    precision: str
    content: bytes
    run: Callable[[Inputs], Mapping[str, np.ndarray]]


@dataclass(frozen=True)
class Format:
    """Target format of a conversion.

    Attributes:
        kind: Kind of the folder.
        dtypes: Floating-point dtypes that its runtimes support.
        convert: Function from a network to its files.
    """

    kind: Kind
    dtypes: frozenset[str]
    convert: Callable[[Network], Iterator[File]]


def save_converted(
    vae: VAE,
    path: str | PathLike[str],
    data: Any,
    target_format: Format,
    *,
    overwrite: bool,
    about: Mapping[str, Any] | None,
    tolerance: float,
) -> ConvertedModel:
    """Converts the functions `posterior`, `likelihood` and `classify`. See `save_litert` for arguments and errors."""
    kind = target_format.kind
    require_vae(vae, kind.function)
    target = free_target(path, overwrite, kind)
    require_one_vector_or_labels(vae, kind.function)
    if not 0 <= tolerance < math.inf:
        raise ValueError(f"tolerance must be a finite number of at least 0. Received: tolerance={tolerance!r}")
    event_shape = event_shape_of(vae)
    examples = real_examples(vae, data, event_shape, kind.function)
    module = Signatures(vae, event_shape, (*MEANS, CLASSIFY), checks=False)
    functions = module.by_name()
    _require_signatures(functions, kind)
    _require_dtypes(functions, target_format)
    calibration, measured = ({**_given(part), **_draws(vae, part)} for part in examples)
    from_prior = {**_given(examples[0]), **_prior_draws(vae, examples[0])}
    of_decoder = {name: np.concatenate([value, from_prior[name]]) for name, value in calibration.items()}
    files: dict[str, bytes] = {}
    deviations: list[Deviation] = []
    for signature, name in _NETWORKS.items():
        if signature not in functions:
            continue
        function = functions[signature]
        names = [spec.name for spec in function.input_signature]
        typical = of_decoder if signature == "likelihood" else calibration
        inputs = {name: measured[name] for name in names}
        expected = _in_batches(_taking_names(function), inputs)
        for file in target_format.convert(Network(name, module, function, {name: typical[name] for name in names})):
            found = _deviations(file, expected, _outputs_of(file, inputs, kind))
            _require_close(found, kind, tolerance)
            files[file.name] = file.content
            deviations += found
    converted = ConvertedModel(
        Path(path), {name: len(content) for name, content in files.items()}, tuple(deviations), len(examples[1].x)
    )
    with new_folder(target, overwrite, kind) as new:
        new.mkdir()
        for name, content in files.items():
            (new / name).parent.mkdir(exist_ok=True)
            (new / name).write_bytes(content)
        manifest = {
            **describe_model(vae, event_shape),
            "signatures": described(functions),
            "measured": converted.to_dict(),
            "about": dict(about or {}),
        }
        write_manifest(new, manifest, CONVERTED_MANIFEST)
    return converted


def _require_signatures(functions: Mapping[str, Any], kind: Kind) -> None:
    for name, title in zip(MEANS, ("posterior q(z|x)", "likelihood p(x|z)"), strict=True):
        if name not in functions:
            raise ValueError(
                f"{kind.function} converts functions without random draws, but TFP defines neither parameters nor mean "
                f"of the {title} of this model. Export a SavedModel with export.save instead."
            )


def _require_dtypes(functions: Mapping[str, Any], target_format: Format) -> None:
    for name, function in functions.items():
        operations = function.get_concrete_function().graph.get_operations()
        dtypes = {tensor.dtype for operation in operations for tensor in operation.outputs}
        others = {dtype.name for dtype in dtypes if dtype.is_floating} - target_format.dtypes
        if others:
            raise ValueError(
                f"{target_format.kind.function} converts models that compute in "
                f"{' or '.join(sorted(target_format.dtypes))}, but the {name} of this model computes in "
                f"{' and '.join(sorted(others))}. Build the model under keras.config.set_dtype_policy('float32'), load "
                "the weights, and export that model."
            )


def _given(examples: RealExamples) -> dict[str, np.ndarray]:
    """Returns x and the condition by name."""
    return {"x": examples.x} if examples.condition is None else {"x": examples.x, "condition": examples.condition}


def _draws(vae: VAE, examples: RealExamples) -> dict[str, np.ndarray]:
    """Draws one z ~ q(z|x) for each x, in float32, as inputs of the decoder by name."""
    x = tf.constant(examples.x, vae.variable_dtype)
    return _named(vae.encode(x, condition=examples.condition).sample(seed=stateless_seed(0)))


def _prior_draws(vae: VAE, examples: RealExamples) -> dict[str, np.ndarray]:
    """Draws as many z ~ p(z), in float32, as inputs of the decoder for new x."""
    if isinstance(vae.prior, Conditional):  # one p(z|c) for each condition
        return _named(vae.prior_of(tf.cast(examples.condition, vae.variable_dtype)).sample(seed=stateless_seed(1)))
    return _named(vae.prior.distribution().sample(len(examples.x), seed=stateless_seed(1)))


def _named(z: Any) -> dict[str, np.ndarray]:
    parts = z if isinstance(z, Mapping) else {"z": z}
    return {name: np.asarray(tf.cast(part, tf.float32)) for name, part in parts.items()}


def _taking_names(function: Any) -> Callable[[Inputs], Mapping[str, Any]]:
    return lambda inputs: function(**inputs)


def _in_batches(run: Callable[[Inputs], Mapping[str, Any]], inputs: Inputs) -> dict[str, np.ndarray]:
    count = len(next(iter(inputs.values())))
    parts = [
        run({name: value[start : start + _BATCH_SIZE] for name, value in inputs.items()})
        for start in range(0, count, _BATCH_SIZE)
    ]
    return {name: np.concatenate([np.asarray(part[name]) for part in parts]) for name in parts[0]}


def _outputs_of(file: File, inputs: Inputs, kind: Kind) -> dict[str, np.ndarray]:
    try:
        return _in_batches(file.run, inputs)
    except Exception as error:  # the runtimes of other formats raise errors of any type
        raise ValueError(
            f"{file.name} was converted, but running it on real data failed: {first_line(error)}. Nothing was written. "
            f"This is an error of the converter: {kind.function} does not support this model."
        ) from error


def _deviations(file: File, expected: dict[str, np.ndarray], actual: dict[str, np.ndarray]) -> list[Deviation]:
    found = []
    for output, value in expected.items():
        if value.dtype.kind == "i":  # the most probable class, whose probability is another output
            continue
        difference = np.abs(actual[output].astype("float64") - value)
        found.append(
            Deviation(
                file=file.name,
                precision=file.precision,
                output=output,
                max_abs=float(difference.max()),
                mean_abs=float(difference.mean()),
                largest=float(np.abs(value).max()),
            )
        )
    return found


def _require_close(deviations: list[Deviation], kind: Kind, tolerance: float) -> None:
    for found in deviations:
        if not math.isfinite(found.largest):
            raise ValueError(
                f"The output {found.output} of the model is NaN or infinite on real data. Nothing was written. Check "
                "the weights of the model and the data."
            )
        if not math.isfinite(found.max_abs):
            raise ValueError(
                f"The output {found.output} of {found.file} is NaN or infinite on real data, but that of the model is "
                f"finite. Nothing was written. The numbers are too large for {found.precision}. "
                + (
                    "Export a SavedModel with export.save."
                    if found.precision == "float32"
                    else f"Omit {found.precision} from `precisions`."
                )
            )
        if found.precision == "float32" and found.max_abs > tolerance * max(1.0, found.largest):
            raise ValueError(
                f"{found.file} differs from the model. Nothing was written. On real data its {found.output} differs by "
                f"{found.max_abs:.2g} for values up to {found.largest:.3g}, but tolerance={tolerance:g} allows "
                f"{tolerance * max(1.0, found.largest):.2g}. If the difference is acceptable, call {kind.function} "
                "with a larger tolerance."
            )
