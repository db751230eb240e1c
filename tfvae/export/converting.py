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
from tfvae.export.checks import event_shape_of, require_one_tensor, require_vae
from tfvae.export.converted_model import ConvertedModel, Deviation
from tfvae.export.folders import Kind, free_target, new_folder
from tfvae.export.manifest import CONVERTED_MANIFEST, write_manifest
from tfvae.export.messages import first_line
from tfvae.export.real_examples import real_examples
from tfvae.export.signatures import MEANS, Signatures, described
from tfvae.models import VAE

_BATCH_SIZE = 100


@dataclass(frozen=True)
class Network:
    """Encoder or decoder of a model, to be converted.

    Attributes:
        name: "encoder" or "decoder".
        module: Module with the variables.
        function: `tf.function` of one float32 input, "x" or "z", with any batch size.
        calibration: Typical inputs `[n, ...]`, for formats that need the range of every number.
    """

    name: str
    module: tf.Module
    function: Any
    calibration: np.ndarray

    @property
    def input(self) -> str:
        """The name of its input."""
        return self.function.input_signature[0].name


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
    run: Callable[[np.ndarray], Mapping[str, np.ndarray]]


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
    """Converts the functions `posterior` and `likelihood`. See `save_litert` for the arguments and errors."""
    kind = target_format.kind
    require_vae(vae, kind.function)
    target = free_target(path, overwrite, kind)
    require_one_tensor(vae, kind.function)
    if not 0 <= tolerance < math.inf:
        raise ValueError(f"tolerance must be a finite number of at least 0. Received: tolerance={tolerance!r}")
    event_shape = event_shape_of(vae)
    calibration, measured = real_examples(vae, data, event_shape, kind.function)
    module = Signatures(vae, event_shape, MEANS)
    functions = module.by_name()
    _require_signatures(functions, kind)
    _require_dtypes(functions, target_format)
    z = _draws(vae, calibration)
    inputs = {
        "posterior": (calibration, measured),
        "likelihood": (np.concatenate([z, _prior_draws(vae, len(z))]), _draws(vae, measured)),
    }
    files: dict[str, bytes] = {}
    deviations: list[Deviation] = []
    for signature, name in zip(MEANS, ("encoder", "decoder"), strict=True):
        function, (calibration, measured) = functions[signature], inputs[signature]
        expected = _in_batches(function, measured)
        for file in target_format.convert(Network(name, module, function, calibration)):
            found = _deviations(file, expected, _outputs_of(file, measured, kind))
            _require_close(found, kind, tolerance)
            files[file.name] = file.content
            deviations += found
    converted = ConvertedModel(
        Path(path), {name: len(content) for name, content in files.items()}, tuple(deviations), len(measured)
    )
    with new_folder(target, overwrite, kind) as new:
        new.mkdir()
        for name, content in files.items():
            (new / name).parent.mkdir(exist_ok=True)
            (new / name).write_bytes(content)
        manifest = {
            "event_shape": list(event_shape),
            "latent_shape": list(vae.latent_shape),
            "dtype": vae.variable_dtype,
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


def _draws(vae: VAE, x: np.ndarray) -> np.ndarray:
    """Draws one z ~ q(z|x) for each x, in float32, as inputs of the decoder."""
    z = vae.encode(tf.constant(x, vae.variable_dtype)).sample(seed=stateless_seed(0))
    return np.asarray(tf.cast(z, tf.float32))


def _prior_draws(vae: VAE, count: int) -> np.ndarray:
    """Draws `count` z ~ p(z) in float32, as inputs of the decoder for new x."""
    return np.asarray(tf.cast(vae.prior.distribution().sample(count, seed=stateless_seed(1)), tf.float32))


def _in_batches(run: Callable[[Any], Mapping[str, Any]], x: np.ndarray) -> dict[str, np.ndarray]:
    parts = [run(x[start : start + _BATCH_SIZE]) for start in range(0, len(x), _BATCH_SIZE)]
    return {name: np.concatenate([np.asarray(part[name]) for part in parts]) for name in parts[0]}


def _outputs_of(file: File, x: np.ndarray, kind: Kind) -> dict[str, np.ndarray]:
    try:
        return _in_batches(file.run, x)
    except Exception as error:  # the runtimes of other formats raise errors of any type
        raise ValueError(
            f"{file.name} was converted, but running it on real data failed: {first_line(error)}. Nothing was written. "
            f"This is an error of the converter: {kind.function} does not support this model."
        ) from error


def _deviations(file: File, expected: dict[str, np.ndarray], actual: dict[str, np.ndarray]) -> list[Deviation]:
    found = []
    for output, value in expected.items():
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
