"""Writing a SavedModel: all checks first, then beside the target, then renamed."""

from collections.abc import Mapping
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfvae.export.checks import event_shape_of, require_latents, require_vae
from tfvae.export.folders import MODEL_FILE, Kind, free_target, new_folder
from tfvae.export.manifest import write_manifest
from tfvae.export.signatures import Signatures, described
from tfvae.export.warmup import warmup_requests, write_warmup
from tfvae.models import VAE

_KIND = Kind("SavedModel", "export.save", lambda folder: (folder / MODEL_FILE).is_file())


def save(
    vae: VAE, path: str | PathLike[str], *, overwrite: bool = False, about: Mapping[str, Any] | None = None
) -> Path:
    """Exports a VAE as a SavedModel that loads where tfvae, TFP and Keras are not installed.

    Prefer `vae.save("name.keras")` to train on, or to have the distributions back; this is for serving. Its signatures
    take and give float32 tensors by name, whatever the model's precision, with any batch size B:

    * `encode(x, seed)`: `loc`, `scale` (or `scale_tril`; `mean`, `stddev` of other families), `z`, one draw `[B, D]`;
      of latents that are a dictionary, each part by its name in place of `z`;
    * `decode(z, seed)`: `mean`, `sample` `[B, *event]`;
    * `serving_default(x)`, for requests that name no signature: `mean` of p(x|z) at z = E[z|x], which no draw changes;
    * `reconstruct(x, seed)`: `mean`, `sample`, through one z from q(z|x);
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
        ValueError: when it is not built, its shapes are unknown, its latents are neither one tensor nor named parts, or
            the folder is not free.

    Example:
        >>> tfvae.export.save(vae, "saved_models/digits_vae/1")
        >>> served = tf.saved_model.load("saved_models/digits_vae/1")
        >>> served.signatures["decode"](z=z, seed=tf.constant([0, 1]))["mean"]

    References:
        Kingma & Welling, Auto-Encoding Variational Bayes, 2013, arXiv 1312.6114, equations 6 and 7 (`elbo`); Burda,
        Grosse & Salakhutdinov, Importance Weighted Autoencoders, 2015, arXiv 1509.00519, equation 8 (`log_marginal`).
    """
    require_vae(vae, _KIND.function)
    target = free_target(path, overwrite, _KIND)
    require_latents(vae, _KIND.function)
    event_shape = event_shape_of(vae)
    module = Signatures(vae, event_shape)

    with new_folder(target, overwrite, _KIND) as new:
        functions = module.by_name()
        tf.saved_model.save(module, fspath(new), signatures=functions)
        write_warmup(new, _name(target), warmup_requests(functions))
        manifest = {
            "event_shape": list(event_shape),
            "latent_shape": _listed(vae.latent_shape),
            "dtype": vae.variable_dtype,
            "signatures": described(functions),
            "about": dict(about or {}),
        }
        write_manifest(new, manifest)
    return Path(path)


def _listed(latent_shape: Any) -> Any:
    """The shape of z as JSON."""
    if isinstance(latent_shape, Mapping):
        return {name: list(shape) for name, shape in latent_shape.items()}
    return list(latent_shape)


def _name(target: Path) -> str:
    """What a server calls the model: of `NAME/VERSION` it is `NAME`."""
    return target.parent.name if target.name.isdecimal() else target.name
