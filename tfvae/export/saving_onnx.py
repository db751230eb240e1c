"""Export to ONNX, for runtimes other than TensorFlow."""

from collections.abc import Mapping
from os import PathLike
from typing import Any

from tfvae.export.converted_model import ConvertedModel
from tfvae.export.converting import Format, save_converted
from tfvae.export.folders import Kind
from tfvae.export.messages import missing
from tfvae.models import VAE

_KIND = Kind("folder of ONNX files", "export.save_onnx", lambda folder: any(folder.glob("*.onnx")))


def save_onnx(
    vae: VAE,
    path: str | PathLike[str],
    data: Any,
    *,
    overwrite: bool = False,
    about: Mapping[str, Any] | None = None,
    tolerance: float = 1e-4,
) -> ConvertedModel:
    """Exports encoder and decoder as ONNX files, for onnxruntime and other ONNX runtimes.

    The files contain only the functions `posterior`, `likelihood` and `classify` of `save`, without draws. Use `save`
    for TensorFlow servers and for draws. The folder contains

    * `encoder.onnx`: `x` `[batch, *event]` to the parameters of q(z|x), such as `loc` and `scale` `[batch, D]`;
    * `decoder.onnx`: `z` `[batch, D]` to the `mean` `[batch, *event]` of p(x|z);
    * for a model with labels, `classifier.onnx`: `x` to `probs` `[batch, K]` and `label` `[batch]`, an int32. Its
      encoder has `y` `[batch, K]` as another input, and its decoder the parts of z by name;

    in float32, and `tfvae.json`, with a description and a checksum of each file (`read_manifest`).

    Args:
        vae: Built model. It is not changed.
        path: Folder to create.
        data: Real x: an array `[N, *event]`, a split of `tfvae.data`, or a data set whose batches contain x. For a
            conditional model also conditions: `{"x": x, "condition": condition}`, or a split that has them. Deviations
            are measured on up to 1,000 examples, with one z ~ q(z|x) per example.
        overwrite: Whether to replace existing ONNX files when the new ones are complete. Other folders are never
            replaced.
        about: Additional JSON content of the manifest.
        tolerance: Maximum deviation of an output, relative to the largest value of that output, or to 1 if all values
            are smaller.

    Returns:
        A `ConvertedModel` with the folder, the sizes of the files, and the deviation of every output of both files,
        measured with onnxruntime.

    Raises:
        TypeError: If `vae` is not a VAE, or `data` is not an array, a split or a data set.
        ValueError: If the extra `onnx` is not installed, `save` would refuse the model, the data are missing or do not
            fit the model, tf2onnx does not support an operation of the model, or the files differ from the model.
            Nothing is written in these cases.

    Example:
        >>> converted = tfvae.export.save_onnx(vae, "digits_onnx", splits.train)
        >>> onnxruntime.InferenceSession("digits_onnx/decoder.onnx").run(["mean"], {"z": z})
    """
    try:
        from tfvae.export.onnx_files import onnx_files
    except ModuleNotFoundError as error:
        raise missing(error, _KIND.function, "onnx") from error

    onnx = Format(_KIND, frozenset({"float32", "float64"}), onnx_files)
    return save_converted(vae, path, data, onnx, overwrite=overwrite, about=about, tolerance=tolerance)
