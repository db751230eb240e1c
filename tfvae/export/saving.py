"""Export to a SavedModel. All checks run first, and the complete folder is renamed to the target."""

from collections.abc import Mapping
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfvae.export.checks import event_shape_of, require_latents, require_vae
from tfvae.export.description import describe_model
from tfvae.export.folders import MODEL_FILE, Kind, free_target, new_folder
from tfvae.export.manifest import write_manifest
from tfvae.export.save_context import traced_as_saved
from tfvae.export.signatures import Signatures, described
from tfvae.export.warmup import warmup_requests, write_warmup
from tfvae.models import VAE

_KIND = Kind("SavedModel", "export.save", lambda folder: (folder / MODEL_FILE).is_file())


def save(
    vae: VAE, path: str | PathLike[str], *, overwrite: bool = False, about: Mapping[str, Any] | None = None
) -> Path:
    """Exports a VAE as a SavedModel that can be loaded without tfvae, TFP and Keras.

    The SavedModel is for serving. To continue training or to get distributions, use `vae.save("name.keras")`. The
    inputs and outputs of the signatures are named float32 tensors, also for models of other precision, with any batch
    size B:

    * `encode(x, seed)`: `loc`, `scale` (or `scale_tril`; `mean`, `stddev` of other families), `z`, one draw `[B, D]`;
      if the latents are a dictionary, each part by its name instead of `z`;
    * `decode(z, seed)`: `mean`, `sample` `[B, *event]`;
    * `serving_default(x)`, for requests without a signature: `mean` of p(x|z) at z = E[z|x], without a draw;
    * `reconstruct(x, seed)`: `mean`, `sample`, with one z drawn from q(z|x);
    * `sample(num_samples, seed)`: `z` from the prior, or its parts, and `mean`, `sample` `[num_samples, *event]`;
    * `elbo(x, num_samples, seed)`: `elbo`, `log_likelihood`, `kl` `[B]`, in nats;
    * `log_marginal(x, num_samples, seed)`: `[B]`, in nats, by importance sampling. Its memory does not grow with
      `num_samples`;
    * `posterior(x)`, the result of `encode` without the draw, and `likelihood(z)`, the `mean` of `decode`. Their
      results do not depend on other examples, so a server may batch requests.

    The signatures of a conditional model also have the input `condition`, `[B, *shape]` or one `[1, *shape]` for all
    examples, in floats: a class is a one-hot vector. `log_marginal` is then log p(x|c). A model with labels
    (`tfvae.estimators.Enumerated`) also has `classify(x)`: `probs` `[B, K]` and the most probable class `label` `[B]`,
    an int32. Its `sample` takes `label`, int32 `[num_samples]` or `[1]`, where -1 stands for a label that is drawn; its
    `posterior(x, y)` is q(z|x,y), and `serving_default` takes the most probable y. With `missing="nan"`, NaN in x is a
    missing value.

    `seed` is int32 `[2]`. The same seed gives the same numbers as in the methods of the model in Python. The loaded
    object has the same functions as attributes. A `mean` or `stddev` that a family does not define is omitted.

    The folder `assets.extra/` contains `tfvae.json`, with a description and a checksum of each file (`read_manifest`),
    and warm-up requests for TensorFlow Serving.

    Args:
        vae: Built model. It is not changed.
        path: Folder to create. TensorFlow Serving expects `<name>/<version number>`.
        overwrite: Whether to replace an existing SavedModel when the new one is complete. Other folders are never
            replaced.
        about: Additional JSON content of the manifest: the data, their preprocessing, the quality of the model.

    Returns:
        The folder.

    Raises:
        TypeError: If `vae` is not a VAE.
        ValueError: If the model is not built, its shapes are unknown, its latents are neither one tensor nor named
            parts, or the folder is not free. When a signature is called, TensorFlow's `InvalidArgumentError` if a
            condition has another shape, or a label is not one of the K classes.

    Example:
        >>> tfvae.export.save(vae, "saved_models/digits_vae/1")
        >>> served = tf.saved_model.load("saved_models/digits_vae/1")
        >>> served.signatures["decode"](z=z, seed=tf.constant([0, 1]))["mean"]

    References:
        Kingma & Welling, Auto-Encoding Variational Bayes, 2013, arXiv 1312.6114, equations 6 and 7 (`elbo`); Burda,
        Grosse & Salakhutdinov, Importance Weighted Autoencoders, 2015, arXiv 1509.00519, equation 8 (`log_marginal`).
    """
    require_vae(vae, _KIND.function)
    free_target(path, overwrite, _KIND)
    return Exporter(vae).save(path, overwrite=overwrite, about=about)


class Exporter:
    """Exports a VAE, also several times with other weights, for which its signatures are traced once.

    Args:
        vae: Built model.

    Raises:
        TypeError: If `vae` is not a VAE.
        ValueError: If `save` raises it for the model.
    """

    def __init__(self, vae: VAE):
        require_vae(vae, _KIND.function)
        require_latents(vae, _KIND.function)
        self._vae = vae
        self._event_shape = event_shape_of(vae)
        with traced_as_saved():
            self._module = Signatures(vae, self._event_shape)

    def save(
        self, path: str | PathLike[str], *, overwrite: bool = False, about: Mapping[str, Any] | None = None
    ) -> Path:
        """Exports the model with its present weights. See the function `save`."""
        target = free_target(path, overwrite, _KIND)
        with new_folder(target, overwrite, _KIND) as new:
            with traced_as_saved():
                functions = self._module.by_name()
                requests, signatures = warmup_requests(functions), described(functions)
            tf.saved_model.save(self._module, fspath(new), signatures=functions)
            write_warmup(new, _name(target), requests)
            manifest = {
                **describe_model(self._vae, self._event_shape),
                "signatures": signatures,
                "about": dict(about or {}),
            }
            write_manifest(new, manifest)
        return Path(path)


def _name(target: Path) -> str:
    """Returns the name of the model on a server, which is `NAME` for the folder `NAME/VERSION`."""
    return target.parent.name if target.name.isdecimal() else target.name
