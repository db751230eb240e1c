"""Counts on the command line: sizes of rows to sample, and latents in AnnData files."""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfvae._files import replacing
from tfvae.cli.commands.saying import say
from tfvae.data.conditions import one_hot
from tfvae.data.examples import CONDITION
from tfvae.layers import SizedNegativeBinomial
from tfvae.models import VAE

_KEY = "X_tfvae"


def batches_of_samples(
    vae: VAE, num_samples: int, batch_size: int, condition: Any, seed: int
) -> Iterator[dict[str, Any]]:
    """Yields the number of samples of each batch and, for rows of counts, their conditions with a size for each row.

    Sizes are drawn like those of the training rows.

    Args:
        vae: The model.
        num_samples: Number of samples.
        batch_size: Number of samples in a batch, of which the last may be smaller.
        condition: The number of a class or an array without the size, or None.
        seed: Seed of the sizes.
    """
    sized = next((layer for layer in vae._flatten_layers() if isinstance(layer, SizedNegativeBinomial)), None)
    conditions = None
    if sized is not None and vae.condition_shape is not None:
        sizes = np.asarray(sized.sample_sizes(num_samples, seed))[:, np.newaxis]
        others = vae.condition_shape[0] - 1
        given = one_hot(np.asarray(condition), others) if isinstance(condition, int | np.integer) else condition
        parts = [] if given is None else [np.broadcast_to(np.ravel(given), (num_samples, others))]
        conditions = np.concatenate([*parts, sizes], axis=1).astype(np.float32)
    for start in range(0, num_samples, batch_size):
        number = min(batch_size, num_samples - start)
        given = {} if conditions is None else {CONDITION: conditions[start : start + number]}
        yield {"number": np.int32(number), **given}


def write_latents(output: Path, data: Path, parts: Iterable[dict[str, Any]]) -> None:
    """Writes a copy of an AnnData file with the means of q(z|x) as `obsm["X_tfvae"]`. All else of the file is kept.

    Args:
        output: File to write.
        data: The file with the cells, all of which were encoded in their order.
        parts: The entries "mean", or "z", of some cells each.
    """
    import h5py
    from anndata.io import write_elem

    latents = np.concatenate([np.asarray(part["mean"] if "mean" in part else part["z"]) for part in parts])
    with replacing(output) as temporary:
        shutil.copyfile(data, temporary)
        with h5py.File(temporary, "r+") as file:
            if "obsm" not in file:
                write_elem(file, "obsm", {})
            write_elem(file["obsm"], _KEY, latents)
    say(f"{output}: {data.name} with obsm[{_KEY!r}] of shape {latents.shape}")


def write_samples(output: Path, parts: Iterable[dict[str, Any]], names: Sequence[str] | None) -> None:
    """Writes samples as an AnnData file, with their latents as `obsm["X_tfvae"]`.

    Args:
        output: File to write.
        parts: The entries "sample" and "z" of some samples each.
        names: The names of the columns, or None.
    """
    import anndata
    import scipy.sparse

    drawn = [(scipy.sparse.csr_matrix(part["sample"].numpy()), part["z"].numpy()) for part in parts]
    x, z = scipy.sparse.vstack([rows for rows, _ in drawn], "csr"), np.concatenate([latents for _, latents in drawn])
    found = anndata.AnnData(x, obsm={_KEY: z})
    if names is not None:
        found.var_names = list(names)
    found.obs_names = [f"sample_{i}" for i in range(x.shape[0])]
    with replacing(output) as temporary:
        found.write_h5ad(temporary)
    say(f"{output}: {x.shape[0]:,} samples of {x.shape[1]:,} counts")
