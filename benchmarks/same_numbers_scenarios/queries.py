"""What is asked of a trained model: bounds, draws, evaluations, exported signatures."""

import dataclasses
import functools

import keras
import numpy as np
import tensorflow as tf

from same_numbers_scenarios.parts import LABELS, LATENT, X, bits_prior, fit, make_encoder, make_vae
from tfvae import evaluation, export, models, priors
from tfvae.estimators import SGVB, DReG, RunningMean, ScoreFunction
from tfvae.layers import MultivariateNormalDiag

Z = np.random.default_rng(3).normal(size=(5, LATENT)).astype("float32")
BITS = (Z > 0).astype("float32")
SEED = np.array([7, 11], "int32")


@functools.cache
def normal_vae():
    """A trained model with a prior of its own."""
    keras.utils.set_random_seed(2)
    vae = make_vae(prior=priors.MixtureOfGaussians(LATENT, 3, seed=1))
    fit(vae)
    return vae


@functools.cache
def discrete_vae():
    """A trained model whose latents are bits."""
    keras.utils.set_random_seed(2)
    vae = make_vae(ScoreFunction(2), encoder=make_encoder(discrete=True), prior=bits_prior())
    fit(vae)
    return vae


@functools.cache
def plain_vae():
    """A trained model as small as it gets."""
    keras.utils.set_random_seed(2)
    vae = make_vae()
    fit(vae)
    return vae


def asked(make, z):
    """The scenario of what a model answers directly, with a seed and without."""

    def scenario(folder):
        vae = make()
        vae.seed_generator.state.assign([5, 0])
        posterior, likelihood = vae.encode(X), vae.decode(z)
        return {
            "encode_mean": posterior.mean(),
            "encode_sample": posterior.sample(2, seed=SEED),
            "decode_mean": likelihood.mean(),
            "decode_sample": likelihood.sample(seed=SEED),
            "decode_several": vae.decode(np.stack([z, z])).mean(),
            "elbo": vae.elbo(X, num_samples=3, seed=1),
            "reconstruct": vae.reconstruct(X, seed=2),
            "sample": vae.sample(6, seed=3),
            "unseeded_elbo": vae.elbo(X),
            "unseeded_reconstruct": vae.reconstruct(X),
            "unseeded_sample": vae.sample(2),
            "called": tf.convert_to_tensor(vae(X)),
            "predicted": vae.predict(X, verbose=0),
            **{f"estimate/{name}": part for name, part in vae.estimate(X, seed=4)._asdict().items()
               if name in ("surrogate_loss", "bound", "log_likelihood", "kl")},
        }  # fmt: skip

    return scenario


def signatures(make, z):
    """The scenario of an exported model, loaded again."""

    def scenario(folder):
        loaded = export.load(export.save(make(), folder / "saved"))
        count, seed, x = tf.constant(4), tf.constant(SEED), tf.constant(X)
        inputs = {
            "encode": {"x": x, "seed": seed},
            "decode": {"z": tf.constant(z), "seed": seed},
            "reconstruct": {"x": x, "seed": seed},
            "sample": {"num_samples": count, "seed": seed},
            "elbo": {"x": x, "num_samples": count, "seed": seed},
            "log_marginal": {"x": x, "num_samples": count, "seed": seed},
            "posterior": {"x": x},
            "likelihood": {"z": tf.constant(z)},
            "serving_default": {"x": x},
        }
        found = {}
        for name, given in inputs.items():
            if name in loaded.signatures:
                answer = loaded.signatures[name](**given)
                found |= {f"{name}/{key}": value for key, value in answer.items()}
        return found

    return scenario


def arrays_of(value, name=""):
    """The arrays and numbers in a result of `tfvae.evaluation`, by path."""
    if isinstance(value, np.ndarray | np.generic | float | int | tf.Tensor):
        return {} if np.asarray(value).dtype == object else {name: np.asarray(value)}
    if dataclasses.is_dataclass(value):
        items = [(field.name, getattr(value, field.name)) for field in dataclasses.fields(value)]
    elif hasattr(value, "_asdict"):
        items = value._asdict().items()
    elif isinstance(value, dict):
        items = value.items()
    else:
        items = enumerate(value) if isinstance(value, list | tuple) else ()
    found = {}
    for key, inner in items:
        found |= arrays_of(inner, f"{name}/{key}" if name else str(key))
    return found


def evaluated(function, make=normal_vae, data=X, **kwargs):
    """The scenario of one evaluation."""
    return lambda folder: arrays_of(function(make(), *data if isinstance(data, tuple) else (data,), **kwargs))


def ais(folder):
    """Annealed importance sampling, in both directions."""
    options = {"num_chains": 3, "num_steps": 5, "num_leapfrog_steps": 2, "batch_size": 4, "seed": 1}
    found = {"forward": evaluation.log_marginal_ais(plain_vae(), X[:6], **options)}
    found["both"] = evaluation.bidirectional_ais(plain_vae(), num_examples=5, **options)
    return arrays_of(found)


def variances(folder):
    """Of gradients, by several estimators."""
    estimators = {"sgvb": SGVB(), "dreg": DReG(3), "scores": ScoreFunction(2, baseline=RunningMean())}
    found = evaluation.gradient_variance(plain_vae(), X[:8], estimators, num_repeats=4, seed=1)
    return arrays_of(found)


def traversals(folder):
    """Of single latents, and lines between examples."""
    vae = plain_vae()
    found = {"traversal": evaluation.latent_traversal(vae, X[0]), "latents": evaluation.latent_traversal(vae, z=Z[0])}
    return arrays_of({**found, "line": evaluation.interpolate(vae, X[:2], X[2:4], num_steps=3)})


def loaded(folder):
    """A model from a file answers as the one that was saved."""
    plain_vae().save(folder / "vae.keras")
    vae = models.load_model(folder / "vae.keras")
    return {"elbo": vae.elbo(X, seed=1), "sample": vae.sample(6, seed=3), "unseeded": vae.sample(3)}


def posterior_layer(folder):
    """Draws of a layer on its own, which takes its seeds from Keras."""
    layer = MultivariateNormalDiag(2)
    return {
        "first": tf.convert_to_tensor(layer(Z[:, :1] * [[1.0, 0.5, 2.0, 0.1]])),
        "second": layer(Z[:, [0, 1, 2, 0]]),
    }


SCENARIOS = {
    "asked": asked(normal_vae, Z),
    "asked_discrete": asked(discrete_vae, BITS),
    "signatures": signatures(plain_vae, Z),
    "signatures_mixture": signatures(normal_vae, Z),
    "signatures_discrete": signatures(discrete_vae, BITS),
    "loaded": loaded,
    "layer": posterior_layer,
    "elbo": evaluated(evaluation.elbo, batch_size=10, seed=1),
    "elbo_discrete": evaluated(evaluation.elbo, discrete_vae, batch_size=10, seed=1),
    "log_marginal": evaluated(evaluation.log_marginal, num_importance_samples=11, chunk_size=4, batch_size=10, seed=1),
    "log_marginal_discrete": evaluated(evaluation.log_marginal, discrete_vae, num_importance_samples=5, seed=1),
    "ais": ais,
    "hmc": evaluated(evaluation.log_marginal_hmc, plain_vae, X[:3], num_samples=6, num_burnin=4, num_chains=2,
                     max_tree_depth=2, seed=1),
    "diagnostics": evaluated(evaluation.diagnostics, num_samples=2, num_mixture_examples=20, batch_size=10, seed=1),
    "active_units": evaluated(evaluation.active_units, batch_size=10),
    "gaps": evaluated(evaluation.inference_gaps, plain_vae, X[:4], num_importance_samples=5, num_steps=3, num_samples=4,
                      num_step_samples=2, seed=1),
    "prior_vs_posterior": evaluated(evaluation.prior_vs_posterior, num_samples=20, num_components=2, seed=1),
    "representation": evaluated(evaluation.representation, plain_vae, (X, X[:9]), train_labels=LABELS,
                                test_labels=LABELS[:9], num_samples=2, seed=1),
    "gradient_variance": variances,
    "traversals": traversals,
}  # fmt: skip
