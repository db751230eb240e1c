"""A model's two networks as files of another format: converted, measured on real data, and only then written."""

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
    """One half of a model, to be converted.

    Attributes:
        name: "encoder" or "decoder".
        module: what holds the variables.
        function: the `tf.function` of one float32 input, "x" or "z", with any batch size.
        calibrating: inputs `[n, ...]` as it meets them, for formats that look at the range of every number.
    """

    name: str
    module: tf.Module
    function: Any
    calibrating: np.ndarray

    @property
    def input(self) -> str:
        """The name of its input."""
        return self.function.input_signature[0].name


@dataclass(frozen=True)
class File:
    """One converted network: its name inside the folder, its precision, its content, and a way to run it."""

    name: str
    precision: str
    content: bytes
    run: Callable[[np.ndarray], Mapping[str, np.ndarray]]


@dataclass(frozen=True)
class Format:
    """A format to convert to.

    Attributes:
        kind: what is written.
        dtypes: those of floating-point numbers that its runtimes compute in.
        convert: makes files of a network.
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
    """Converts the functions `posterior` and `likelihood`; see `save_litert` for the arguments, and what is refused."""
    kind = target_format.kind
    require_vae(vae, kind.function)
    target = free_target(path, overwrite, kind)
    require_one_tensor(vae, kind.function)
    if not 0 <= tolerance < math.inf:
        raise ValueError(f"tolerance is a number, at least 0. Received: {tolerance!r}.")
    event_shape = event_shape_of(vae)
    calibrating, measured = real_examples(vae, data, event_shape, kind.function)
    module = Signatures(vae, event_shape, MEANS)
    functions = module.by_name()
    _require_answers(functions, kind)
    _require_dtypes(functions, target_format)
    z = _draws(vae, calibrating)
    inputs = {
        "posterior": (calibrating, measured),
        "likelihood": (np.concatenate([z, _prior_draws(vae, len(z))]), _draws(vae, measured)),
    }
    files: dict[str, bytes] = {}
    deviations: list[Deviation] = []
    for signature, name in zip(MEANS, ("encoder", "decoder"), strict=True):
        function, (calibrating, measured) = functions[signature], inputs[signature]
        expected = _in_batches(function, measured)
        for file in target_format.convert(Network(name, module, function, calibrating)):
            found = _deviations(file, expected, _answers(file, measured, kind))
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


def _require_answers(functions: Mapping[str, Any], kind: Kind) -> None:
    for name, title in zip(MEANS, ("posterior q(z|x)", "likelihood p(x|z)"), strict=True):
        if name not in functions:
            raise ValueError(
                f"{kind.function} converts what a model answers without drawing, but TFP knows neither parameters nor "
                f"mean of this model's {title}. export.save writes a SavedModel, which draws."
            )


def _require_dtypes(functions: Mapping[str, Any], target_format: Format) -> None:
    for name, function in functions.items():
        operations = function.get_concrete_function().graph.get_operations()
        dtypes = {tensor.dtype for operation in operations for tensor in operation.outputs}
        others = {dtype.name for dtype in dtypes if dtype.is_floating} - target_format.dtypes
        if others:
            raise ValueError(
                f"{target_format.kind.function} converts models that compute in "
                f"{' or '.join(sorted(target_format.dtypes))}, but the {name} of this one computes in "
                f"{' and '.join(sorted(others))}. Build the model under keras.config.set_dtype_policy('float32'), load "
                "its weights into it, and export that."
            )


def _draws(vae: VAE, x: np.ndarray) -> np.ndarray:
    """One z ~ q(z|x) of each x, in float32: what a decoder meets."""
    z = vae.encode(tf.constant(x, vae.variable_dtype)).sample(seed=stateless_seed(0))
    return np.asarray(tf.cast(z, tf.float32))


def _prior_draws(vae: VAE, count: int) -> np.ndarray:
    """So many z ~ p(z), in float32: what a decoder meets that makes new x."""
    return np.asarray(tf.cast(vae.prior.distribution().sample(count, seed=stateless_seed(1)), tf.float32))


def _in_batches(run: Callable[[Any], Mapping[str, Any]], x: np.ndarray) -> dict[str, np.ndarray]:
    parts = [run(x[start : start + _BATCH_SIZE]) for start in range(0, len(x), _BATCH_SIZE)]
    return {name: np.concatenate([np.asarray(part[name]) for part in parts]) for name in parts[0]}


def _answers(file: File, x: np.ndarray, kind: Kind) -> dict[str, np.ndarray]:
    try:
        return _in_batches(file.run, x)
    except Exception as error:  # the runtimes of other formats fail with errors of their own
        raise ValueError(
            f"{file.name} was converted, but it cannot be run on real data, so nothing was written: "
            f"{first_line(error)}. This is a mistake of the converter: {kind.function} does not take this model."
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
                f"The model itself answers real data with a {found.output} that is NaN or infinite, so nothing was "
                "written. Look at its weights, and at the data it was given."
            )
        if not math.isfinite(found.max_abs):
            raise ValueError(
                f"{found.file} answers real data with a {found.output} that is NaN or infinite, where the model's is "
                f"not, so nothing was written: numbers this large do not fit into its {found.precision}. "
                + ("Export a SavedModel: export.save." if found.precision == "float32" else "Leave that precision out.")
            )
        if found.precision == "float32" and found.max_abs > tolerance * max(1.0, found.largest):
            raise ValueError(
                f"{found.file} is not the model, so nothing was written: on real data its {found.output} is off by "
                f"{found.max_abs:.2g}, of values up to {found.largest:.3g}, where tolerance={tolerance:g} allows "
                f"{tolerance * max(1.0, found.largest):.2g}. Where that is near enough, call {kind.function} with a "
                "larger tolerance."
            )
