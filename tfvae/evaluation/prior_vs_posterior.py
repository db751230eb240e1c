"""Comparison of the prior with the aggregated posterior."""

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf
from sklearn.linear_model import LogisticRegression
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from tfvae._checks import whole_number
from tfvae._seeds import split_seed
from tfvae.evaluation._batches import batches_of_examples
from tfvae.evaluation._latents import decoded_means, encodings, numpy_generator, require_vector
from tfvae.evaluation.representation import Accuracy
from tfvae.models import VAE
from tfvae.typing import Seed, Tensor


@dataclasses.dataclass(frozen=True)
class PriorVsPosterior:
    """Result of `prior_vs_posterior`: three kinds of latents, each `[S, D]`, and their E[x|z], `[S, *event]`.

    Attributes:
        z_prior: Draws from p(z).
        z_posterior: Draws from the aggregated posterior, z ~ q(z|x) for random examples.
        z_mixture: Draws from a mixture of normals fitted to encodings.
        means_prior: E[x|z] of `z_prior`.
        means_posterior: E[x|z] of `z_posterior`.
        means_mixture: E[x|z] of `z_mixture`.
        prior_accuracy: Test accuracy of a classifier that distinguishes `z_prior` from `z_posterior`: 0.5 if their
            distributions are equal, 1 if they do not overlap.
        mixture_accuracy: The same for `z_mixture`.
        num_components: Number of components of the mixture.
    """

    z_prior: np.ndarray
    z_posterior: np.ndarray
    z_mixture: np.ndarray
    means_prior: np.ndarray
    means_posterior: np.ndarray
    means_mixture: np.ndarray
    prior_accuracy: Accuracy
    mixture_accuracy: Accuracy
    num_components: int

    def to_dict(self) -> dict[str, Any]:
        """Returns the values for `report.json`."""
        return {
            "prior_accuracy": self.prior_accuracy.to_dict(),
            "mixture_accuracy": self.mixture_accuracy.to_dict(),
            "num_samples": len(self.z_prior),
            "num_components": self.num_components,
        }


def prior_vs_posterior(
    vae: VAE,
    data: Any,
    *,
    num_samples: int = 1000,
    num_components: int = 10,
    batch_size: int = 100,
    seed: Seed = 0,
) -> PriorVsPosterior:
    """Compares samples of the prior with those of the aggregated posterior and of a mixture fitted to it.

    If samples from the prior look worse than those from the aggregated posterior, the prior covers z on which the
    decoder was not trained. The mixture shows what a better prior would give. In a conditional model, the samples are
    those for the conditions of random examples, with which they are decoded.

    Args:
        vae: The model; z is a vector of floats.
        data: An array `[N, *event]`, a `tfvae.data.Split`, or a data set whose batches contain x.
        num_samples: S, number of samples of each kind, at least 4.
        num_components: Number of components of the mixture, which has full covariances.
        batch_size: Number of examples per batch, for arrays and splits.
        seed: An int or an int32 tensor `[2]`.

    Returns:
        `PriorVsPosterior`.

    Raises:
        ValueError: If a count is too small, there are no examples or fewer examples than components, the data do not
            fit the model, or the latents are not a vector of floats.

    Numerics:
        Random examples are drawn without replacement if there are enough of them. The classifier is a logistic
        regression on z, its squares and its products, which suffice to distinguish two normals. It is trained on half
        of the draws and tested on the other half, S draws in balance. The mixture is fitted to one draw for each
        example, and `mixture_accuracy` compares it with other draws for the same examples.

    References:
        Lopez-Paz & Oquab, Revisiting Classifier Two-Sample Tests, 2016, arXiv 1610.06545, section 3; Ghosh et al., From
        Variational to Deterministic Autoencoders, 2019, arXiv 1903.12436, section 4 (the mixture).
    """
    require_vector(vae, "prior_vs_posterior")
    num_samples = whole_number(num_samples, "num_samples", at_least=4)
    num_components = whole_number(num_components, "num_components")
    seed_prior, seed_fit, seed_posterior, seed_numpy = split_seed(seed, 4, "prior_vs_posterior")
    rng = numpy_generator(seed_numpy)
    conditions = _conditions(vae, data, batch_size)
    fitted_to = encodings(vae, data, batch_size=batch_size, seed=seed_fit)
    if len(fitted_to) < num_components:
        raise ValueError(
            "The mixture needs at least as many examples as components. Pass more examples, or a smaller "
            f"num_components. Received: num_components={num_components} and {len(fitted_to)} examples"
        )
    mixture = GaussianMixture(num_components, random_state=int(rng.integers(2**31))).fit(fitted_to.astype(np.float64))
    z_mixture = mixture.sample(num_samples)[0]
    rng.shuffle(z_mixture)  # draws are sorted by component
    pool = encodings(vae, data, batch_size=batch_size, seed=seed_posterior)
    chosen = rng.choice(len(pool), num_samples, replace=len(pool) < num_samples)
    z_posterior = pool[chosen]
    condition = None if conditions is None else tf.gather(conditions, chosen)
    prior = vae.prior_of(condition)
    z_prior = prior.sample([] if prior.batch_shape.rank else num_samples, seed=seed_prior).numpy()

    def means(z: np.ndarray) -> np.ndarray:
        return decoded_means(vae, z, condition=condition, batch_size=batch_size)

    return PriorVsPosterior(
        z_prior=z_prior,
        z_posterior=z_posterior,
        z_mixture=z_mixture,
        means_prior=means(z_prior),
        means_posterior=means(z_posterior),
        means_mixture=means(z_mixture),
        prior_accuracy=_two_sample_accuracy(z_prior, z_posterior),
        mixture_accuracy=_two_sample_accuracy(z_mixture, z_posterior),
        num_components=num_components,
    )


def _conditions(vae: VAE, data: Any, batch_size: int) -> Tensor | None:
    """Returns the conditions `[N, *shape]` of the examples of a conditional model."""
    if vae.condition_shape is None:
        return None
    batches: Any = batches_of_examples(vae, data, batch_size)
    return tf.concat([batch.condition for batch in batches], axis=0)


def _two_sample_accuracy(a: np.ndarray, b: np.ndarray) -> Accuracy:
    """Trains a classifier of a and b `[S, D]` on the first half of each and tests it on the second."""
    half = len(a) // 2
    z = np.concatenate([a[:half], b[:half], a[half:], b[half:]]).astype(np.float64)
    from_b = np.repeat([0, 1, 0, 1], [half, half, len(a) - half, len(b) - half])
    classifier = make_pipeline(
        StandardScaler(), PolynomialFeatures(2, include_bias=False), StandardScaler(), LogisticRegression(max_iter=2000)
    ).fit(z[: 2 * half], from_b[: 2 * half])
    correct = classifier.predict(z[2 * half :]) == from_b[2 * half :]
    return Accuracy(int(correct.sum()), len(correct))
