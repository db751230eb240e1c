"""Writing a model for phones, browsers and small computers: LiteRT, once TensorFlow Lite."""

from collections.abc import Mapping, Sequence
from functools import partial
from os import PathLike
from typing import Any, Literal, get_args

from tfvae.export.converted_model import ConvertedModel
from tfvae.export.converting import Format, save_converted
from tfvae.export.folders import Kind
from tfvae.export.messages import missing
from tfvae.models import VAE

Precision = Literal["float32", "float16", "int8"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
_KIND = Kind("folder of LiteRT files", "export.save_litert", lambda folder: any(folder.glob("*/*.tflite")))


def save_litert(
    vae: VAE,
    path: str | PathLike[str],
    data: Any,
    *,
    precisions: Sequence[Precision] = PRECISIONS,
    overwrite: bool = False,
    about: Mapping[str, Any] | None = None,
    tolerance: float = 1e-4,
) -> ConvertedModel:
    """Exports encoder and decoder as LiteRT files, measured on real data: for phones, browsers and small computers.

    Prefer `save` for servers, and for all that is drawn: these files hold the functions `posterior` and `likelihood` of
    `save` alone, which draw nothing. In the folder lie, for each precision,

    * `PRECISION/encoder.tflite`: `x` `[B, *event]` to the parameters of q(z|x), such as `loc` and `scale` `[B, D]`;
    * `PRECISION/decoder.tflite`: `z` `[B, D]` to the `mean` `[B, *event]` of p(x|z);

    and `tfvae.json`, which says what they are and has a checksum of each (`read_manifest`). Inputs and outputs are
    float32 at any precision, and any batch size B will do (`resize_tensor_input`). They are made of LiteRT's builtin
    operations, so that `ai_edge_litert` and NumPy are all that is needed to run them.

    `float32` is the model itself. `float16` halves the file; it computes in float32. `int8` quarters it, with weights,
    and what flows between dense layers and convolutions, in eight bits (post-training quantization); what makes
    parameters of a network's output stays in float32.

    Args:
        vae: the model, built; it is not changed.
        path: the folder to make.
        data: real x: an array `[N, *event]`, a split of `tfvae.data`, or a data set whose batches hold x. Up to 2,000
            are used: half of them give int8 its ranges, with one z ~ q(z|x) each and as many z ~ p(z); on the other
            half the deviations are measured, with one z ~ q(z|x) each.
        precisions: those to write.
        overwrite: whether LiteRT files that are already there are replaced, once the new ones are complete. Nothing
            else is ever replaced.
        about: what else the manifest is to say, as JSON.
        tolerance: how far a float32 output may be off, as a part of the largest value of that output, or of 1 where
            all are smaller.

    Returns:
        A `ConvertedModel`: where the files are, their sizes, and the deviation of every output of every file.

    Raises:
        TypeError: when `vae` is no VAE, or `data` no data.
        ValueError: when the extra `litert` is not installed; for what `save` refuses; for data that are not there or
            unlike the model's; where LiteRT's builtin operations do not express the model (docs/litert.md says which
            they do), or the files would not answer as the model does. Nothing is written then.

    Example:
        >>> converted = tfvae.export.save_litert(vae, "digits_litert", splits.train)
        >>> max(found.max_abs for found in converted.deviations if found.precision == "int8")

    References:
        Jacob et al., Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference,
        2018, arXiv 1712.05877.
    """
    wanted = tuple(precisions)
    if not wanted or not set(wanted) <= set(PRECISIONS) or len(set(wanted)) < len(wanted):
        raise ValueError(f"precisions are some of {', '.join(PRECISIONS)}, each once. Received: {precisions!r}.")
    try:
        from tfvae.export.litert_files import litert_files
    except ModuleNotFoundError as error:
        raise missing(error, _KIND.function, "litert") from error

    return save_converted(
        vae,
        path,
        data,
        Format(_KIND, frozenset({"float32"}), partial(litert_files, precisions=wanted)),
        overwrite=overwrite,
        about=about,
        tolerance=tolerance,
    )
