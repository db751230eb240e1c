"""Small models of images and vectors, with weights that are not special, their data, and dtype policies."""

import contextlib
import functools

import keras
import numpy as np
import pytest

import tfvae


def random_bits(num_examples, shape, seed=0):
    """Zeros and ones, float32 `[num_examples, *shape]`."""
    return np.random.default_rng(seed).integers(0, 2, size=(num_examples, *shape)).astype("float32")


def without_xla():
    """Whole runs that compile quickly: within a block no VAE has XLA programs, whatever is asked for."""
    return _compiled_with(jit_compile=False)


def without_graphs():
    """Runs of a few steps: within a block no VAE compiles its steps, which would take longer than they do."""
    return _compiled_with(run_eagerly=True, jit_compile=False)


@contextlib.contextmanager
def _compiled_with(**always):
    compiled = tfvae.models.VAE.compile
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tfvae.models.VAE, "compile", lambda self, *a, **kw: compiled(self, *a, **{**kw, **always}))
        yield


@contextlib.contextmanager
def without_views():
    """Within a block TensorBoard gets scalars alone, for runs that test something else."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tfvae.callbacks.VAETensorBoard, "_write_views", lambda *given: None)
        yield


@contextlib.contextmanager
def without_figures():
    """Within a block reports of runs have no figures."""
    from tfvae.training import evaluate

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate, "_figures", lambda *given: {})
        yield


@contextlib.contextmanager
def few_signatures(*names):
    """Within a block `export.save` writes these functions, and the two that its warm-up needs: less to trace."""
    from tfvae.export import saving, signatures

    few = functools.partial(signatures.Signatures, names=("encode", "sample", *names))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(saving, "Signatures", few)
        yield


def small_vae(**parts) -> tfvae.models.VAE:
    """x `[B, 4, 2]` in [0, 1], two latents; with other parts of a VAE, by their names."""
    keras.utils.set_random_seed(1)
    posterior, likelihood = tfvae.layers.MultivariateNormalDiag, tfvae.layers.IndependentBernoulli
    encoder = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(posterior.params_size(2)), posterior(2)])
    decoder = keras.Sequential([keras.layers.Dense(likelihood.params_size((4, 2))), likelihood((4, 2))])
    vae = tfvae.models.VAE(encoder, decoder, seed=7, **parts)
    vae.build((None, 4, 2))
    rng = np.random.default_rng(2)
    for variable in vae.trainable_variables:
        variable.assign(rng.normal(size=variable.shape))
    return vae
