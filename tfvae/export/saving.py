"""Writing a SavedModel: all checks first, then beside the target, then renamed."""

import tempfile
from collections.abc import Mapping
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tfvae.export.manifest import write_manifest
from tfvae.export.signatures import Signatures
from tfvae.export.warmup import warmup_requests, write_warmup
from tfvae.models import VAE

MODEL_FILE = "saved_model.pb"


def save(
    vae: VAE, path: str | PathLike[str], *, overwrite: bool = False, about: Mapping[str, Any] | None = None
) -> Path:
    """Exports a VAE as a SavedModel that loads where tfvae, TFP and Keras are not installed.

    Prefer `vae.save("name.keras")` to train on, or to have the distributions back; this is for serving. Its signatures
    take and give float32 tensors by name, whatever the model's precision, with any batch size B:

    * `encode(x, seed)`: `loc`, `scale` (or `scale_tril`; `mean`, `stddev` of other families), `z`, one draw `[B, D]`;
    * `decode(z, seed)`: `mean`, `sample` `[B, *event]`;
    * `reconstruct(x, seed)`, which is also `serving_default`: `mean`, `sample`, through one z from q(z|x);
    * `sample(num_samples, seed)`: `mean`, `sample` `[num_samples, *event]`, from the prior;
    * `elbo(x, num_samples, seed)`: `elbo`, `log_likelihood`, `kl` `[B]`, nats;
    * `log_marginal(x, num_samples, seed)`: `[B]`, nats, by importance sampling; its memory does not grow with
      `num_samples`;
    * `posterior(x)`, what `encode` answers without the draw, and `likelihood(z)`, the `mean` of `decode`: each example
      is answered for itself, so that a server may join requests, and take them row by row.

    `seed` is int32 `[2]`; the same seed gives the same numbers, and those of the live model's methods. The loaded
    object has the same functions as attributes. A `mean` or `stddev` that a family does not define is left out.

    Beside the model, in `assets.extra/`, lie `tfvae.json`, which says what it is and has a checksum of each file
    (`read_manifest`), and requests with which TensorFlow Serving warms it up.

    Args:
        vae: the model, built; it is not changed.
        path: the folder to make. TensorFlow Serving wants it to be `<name>/<version number>`.
        overwrite: whether a SavedModel that is already there is replaced, once the new one is complete. Nothing else
            is ever replaced.
        about: what else the manifest is to say, as JSON: the data, how x is made of them, how good the model is.

    Returns:
        The folder.

    Raises:
        TypeError: when `vae` is no VAE.
        ValueError: when it is not built, its shapes are unknown, its latents are more than one tensor, or the folder
            is not free.

    Example:
        >>> tfvae.export.save(vae, "saved_models/digits_vae/1")
        >>> served = tf.saved_model.load("saved_models/digits_vae/1")
        >>> served.signatures["decode"](z=z, seed=tf.constant([0, 1]))["mean"]

    References:
        Kingma & Welling, Auto-Encoding Variational Bayes, 2013, arXiv 1312.6114, equations 6 and 7 (`elbo`); Burda,
        Grosse & Salakhutdinov, Importance Weighted Autoencoders, 2015, arXiv 1509.00519, equation 8 (`log_marginal`).
    """
    if not isinstance(vae, VAE):
        raise TypeError(
            "export.save takes a tfvae.models.VAE: its signatures need a posterior, a prior and a likelihood. For any "
            f"other Keras model use model.export(path). Received: {vae!r} (of type {type(vae).__name__})."
        )
    target = _free_target(path, overwrite)
    _check_latents(vae)
    event_shape = _event_shape(vae)
    module = Signatures(vae, event_shape)

    target.parent.mkdir(parents=True, exist_ok=True)
    # The hidden folder goes in any case; a version number it is not, so that a server does not look into it.
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as workplace:
        new, old = Path(workplace) / "new", Path(workplace) / "old"
        functions = module.by_name()
        tf.saved_model.save(module, fspath(new), signatures=functions)
        write_warmup(new, _name(target), warmup_requests(functions))
        manifest = {
            "event_shape": list(event_shape),
            "latent_shape": list(vae.latent_shape),
            "dtype": vae.variable_dtype,
            "signatures": {name: _described(function) for name, function in functions.items()},
            "about": dict(about or {}),
        }
        write_manifest(new, manifest)
        if target.exists():
            target.rename(old)
        try:
            new.rename(target)
        except OSError:
            if old.exists():
                old.rename(target)
            raise
    return Path(path)


def _name(target: Path) -> str:
    """What a server calls the model: of `NAME/VERSION` it is `NAME`."""
    return target.parent.name if target.name.isdecimal() else target.name


def _described(function: Any) -> dict[str, Any]:
    """Shapes of what goes in and comes out."""
    outputs = function.get_concrete_function().structured_outputs
    return {
        "inputs": {spec.name: spec.shape.as_list() for spec in function.input_signature},
        "outputs": {name: spec.shape.as_list() for name, spec in outputs.items()},
    }


def _free_target(path: str | PathLike[str], overwrite: bool) -> Path:
    """The absolute path, links followed, when a model may be written there."""
    if "://" in fspath(path):
        raise ValueError(
            f"export.save writes to a local folder, so that it can rename it when it is complete. Received: {path!r}. "
            "Export to a local folder and copy it there."
        )
    target = Path(path).resolve()
    if not target.exists():
        return target
    if not target.is_dir():
        raise ValueError(f"A SavedModel is a folder, but {path} is a file. Choose another path, or remove the file.")
    if not any(target.iterdir()):
        return target
    if not (target / MODEL_FILE).is_file():
        raise ValueError(
            f"The folder {path} is not empty, and what is in it is no SavedModel, so it is not replaced. Choose "
            "another path, or empty the folder."
        )
    if not overwrite:
        raise ValueError(
            f"There is a SavedModel in {path} already. Choose another path, such as the next version number, or "
            "replace it with export.save(..., overwrite=True)."
        )
    return target


def _check_latents(vae: VAE) -> None:
    shape: Any = vae.latent_shape
    if not isinstance(shape, tuple | list) or not all(isinstance(size, int) for size in shape):
        raise ValueError(
            "export.save takes models whose latents z are one tensor of known shape, named `z` in the signatures. "
            f"This model's prior ({type(vae.prior).__name__}) has event shape {shape!r}."
        )


def _event_shape(vae: VAE) -> tuple[int, ...]:
    """The shape of one x, from the model or, where its layers do not say, from a trace of p(x|z)."""
    if not vae.built:
        raise ValueError(
            "The VAE is not built, so it has no weights to export. Train it with fit, load its weights, or call "
            "vae.build((None, *event_shape)) first."
        )
    if vae.event_shape is not None:
        return vae.event_shape
    found: list[tf.TensorShape] = []
    z = tf.TensorSpec([None, *vae.latent_shape], vae.variable_dtype)
    with keras.StatelessScope():  # a trace must leave nothing behind in the layers
        tf.function(lambda z: found.append(vae.generate(z).event_shape), autograph=False).get_concrete_function(z)
    if not found[0].is_fully_defined():
        raise ValueError(
            f"The event shape of p(x|z) is {found[0]}, but a served model needs every axis of x but the batch. End the "
            "decoder in a layer that knows it, such as tfvae.layers.IndependentBernoulli(event_shape)."
        )
    return tuple(found[0].as_list())
