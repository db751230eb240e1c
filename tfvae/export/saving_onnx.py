"""Writing a model for other runtimes than TensorFlow's: ONNX."""

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
    """Exports encoder and decoder as ONNX files, measured on real data: for onnxruntime and all that reads ONNX.

    Prefer `save` for servers of TensorFlow, and for all that is drawn: these files hold the functions `posterior` and
    `likelihood` of `save` alone, which draw nothing. In the folder lie

    * `encoder.onnx`: `x` `[batch, *event]` to the parameters of q(z|x), such as `loc` and `scale` `[batch, D]`;
    * `decoder.onnx`: `z` `[batch, D]` to the `mean` `[batch, *event]` of p(x|z);

    in float32, and `tfvae.json`, which says what they are and has a checksum of each (`read_manifest`).

    Args:
        vae: the model, built; it is not changed.
        path: the folder to make.
        data: real x: an array `[N, *event]`, a split of `tfvae.data`, or a data set whose batches hold x. The
            deviations are measured on up to 1,000 of them, and on one z ~ q(z|x) each.
        overwrite: whether ONNX files that are already there are replaced, once the new ones are complete. Nothing else
            is ever replaced.
        about: what else the manifest is to say, as JSON.
        tolerance: how far an output may be off, as a part of the largest value of that output, or of 1 where all are
            smaller.

    Returns:
        A `ConvertedModel`: where the files are, their sizes, and the deviation of every output of both, as onnxruntime
        computes them.

    Raises:
        TypeError: when `vae` is no VAE, or `data` no data.
        ValueError: when the extra `onnx` is not installed; for what `save` refuses; for data that are not there or
            unlike the model's; where tf2onnx has no ONNX for the model's operations, or the files would not answer as
            the model does. Nothing is written then.

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
