"""Export to LiteRT, formerly TensorFlow Lite, for phones, browsers and small computers."""

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
    """Exports encoder and decoder as LiteRT files for phones, browsers and small computers.

    The files contain only the functions `posterior`, `likelihood` and `classify` of `save`, without draws. Use `save`
    for servers and for draws. The folder contains, for each precision,

    * `PRECISION/encoder.tflite`: `x` `[B, *event]` to the parameters of q(z|x), such as `loc` and `scale` `[B, D]`;
    * `PRECISION/decoder.tflite`: `z` `[B, D]` to the `mean` `[B, *event]` of p(x|z);
    * for a model with labels, `PRECISION/classifier.tflite`: `x` to `probs` `[B, K]` and `label` `[B]`, an int32. Its
      encoder has `y` `[B, K]` as another input, and its decoder the parts of z by name;

    and `tfvae.json`, with a description and a checksum of each file (`read_manifest`). Inputs and outputs are float32
    in every precision, with any batch size B (`resize_tensor_input`). The files use only builtin operations of LiteRT,
    so `ai_edge_litert` and NumPy are sufficient to run them.

    `float32` equals the model. `float16` halves the size of the file and computes in float32. `int8` reduces it to a
    quarter, with weights and the activations of dense layers and convolutions in eight bits (post-training
    quantization). The computation of parameters from the output of a network stays in float32.

    Args:
        vae: Built model. It is not changed.
        path: Folder to create.
        data: Real x: an array `[N, *event]`, a split of `tfvae.data`, or a data set whose batches contain x. For a
            conditional model also conditions: `{"x": x, "condition": condition}`, or a split that has them. Up to
            2,000 examples are used. One half determines the ranges of int8, with one z ~ q(z|x) per example and as many
            z ~ p(z). Deviations are measured on the other half, with one z ~ q(z|x) per example.
        precisions: Precisions to write.
        overwrite: Whether to replace existing LiteRT files when the new ones are complete. Other folders are never
            replaced.
        about: Additional JSON content of the manifest.
        tolerance: Maximum deviation of a float32 output, relative to the largest value of that output, or to 1 if all
            values are smaller.

    Returns:
        A `ConvertedModel` with the folder, the sizes of the files, and the deviation of every output of every file.

    Raises:
        TypeError: If `vae` is not a VAE, or `data` is not an array, a split or a data set.
        ValueError: If the extra `litert` is not installed, `save` would refuse the model, the data are missing or do
            not fit the model, the builtin operations of LiteRT cannot express the model (see docs/litert.md), or the
            files differ from the model. Nothing is written in these cases.

    Example:
        >>> converted = tfvae.export.save_litert(vae, "digits_litert", splits.train)
        >>> max(found.max_abs for found in converted.deviations if found.precision == "int8")

    References:
        Jacob et al., Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference,
        2018, arXiv 1712.05877.
    """
    wanted = tuple(precisions)
    if not wanted or not set(wanted) <= set(PRECISIONS) or len(set(wanted)) < len(wanted):
        raise ValueError(
            f"precisions must be one or more of {', '.join(PRECISIONS)}, without duplicates. "
            f"Received: precisions={precisions!r}"
        )
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
