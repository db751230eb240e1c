"""Does the prior cover what the encoder uses? Samples from both, and a number for the mismatch."""

import dataclasses
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from tfvae._checks import whole_number
from tfvae._seeds import split_seed
from tfvae.evaluation._latents import decoded_means, encodings, numpy_generator, require_vector
from tfvae.evaluation.representation import Accuracy
from tfvae.models import VAE
from tfvae.typing import Seed


@dataclasses.dataclass(frozen=True)
class PriorVsPosterior:
    """What `prior_vs_posterior` returns: three kinds of latents, each `[S, D]`, and E[x|z] of each, `[S, *event]`.

    Attributes:
        z_prior: from p(z).
        z_posterior: from the aggregated posterior: z ~ q(z|x) of random examples.
        z_mixture: from a mixture of normals fitted to encodings.
        means_prior: what the first decode to.
        means_posterior: the second.
        means_mixture: the third.
        prior_accuracy: of a classifier that tells `z_prior` from `z_posterior`, on draws it was not trained on: 0.5
            where they are alike, 1 where they lie apart.
        mixture_accuracy: the same of `z_mixture`.
        num_components: of the mixture.
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
        """What goes into `report.json`."""
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

    Where samples from the prior look worse than those from the aggregated posterior, the decoder is asked about z that
    it never saw, and the mixture shows what a better prior would give.

    Args:
        vae: the model; z is a vector of floats.
        data: an array `[N, *event]`, a `tfvae.data.Split`, or a data set whose batches hold x.
        num_samples: S, of each kind, at least 4.
        num_components: of the mixture, which has full covariances.
        batch_size: examples at a time, for arrays and splits.
        seed: an int or an int32 tensor `[2]`.

    Returns:
        `PriorVsPosterior`.

    Raises:
        ValueError: for too small a count, no examples, fewer examples than components, data unlike the model's, or
            latents that are not a vector of floats.

    Numerics:
        Random examples are drawn without replacement where there are enough of them. The classifier is a
        logistic regression on z, its squares and its products (all that tells two normals apart); it learns from half
        of the draws and is tried on the others, S of them in balance. The mixture was fitted to one draw of each
        example, and `mixture_accuracy` is against other draws of the same ones.

    References:
        Lopez-Paz & Oquab, Revisiting Classifier Two-Sample Tests, 2016, arXiv 1610.06545, section 3; Ghosh et al., From
        Variational to Deterministic Autoencoders, 2019, arXiv 1903.12436, section 4 (the mixture).
    """
    require_vector(vae, "prior_vs_posterior")
    num_samples = whole_number(num_samples, "num_samples", at_least=4)
    num_components = whole_number(num_components, "num_components")
    seed_prior, seed_fit, seed_posterior, seed_numpy = split_seed(seed, 4, "prior_vs_posterior")
    rng = numpy_generator(seed_numpy)
    fitted_to = encodings(vae, data, batch_size=batch_size, seed=seed_fit)
    if len(fitted_to) < num_components:
        raise ValueError(
            f"A mixture of {num_components} components needs as many encodings. Received {len(fitted_to)} examples: "
            "give more, or a smaller num_components."
        )
    mixture = GaussianMixture(num_components, random_state=int(rng.integers(2**31))).fit(fitted_to.astype(np.float64))
    z_mixture = mixture.sample(num_samples)[0]
    rng.shuffle(z_mixture)  # they come component by component
    pool = encodings(vae, data, batch_size=batch_size, seed=seed_posterior)
    z_posterior = pool[rng.choice(len(pool), num_samples, replace=len(pool) < num_samples)]
    z_prior = vae.prior.distribution().sample(num_samples, seed=seed_prior).numpy()
    return PriorVsPosterior(
        z_prior=z_prior,
        z_posterior=z_posterior,
        z_mixture=z_mixture,
        means_prior=decoded_means(vae, z_prior, batch_size=batch_size),
        means_posterior=decoded_means(vae, z_posterior, batch_size=batch_size),
        means_mixture=decoded_means(vae, z_mixture, batch_size=batch_size),
        prior_accuracy=_two_sample_accuracy(z_prior, z_posterior),
        mixture_accuracy=_two_sample_accuracy(z_mixture, z_posterior),
        num_components=num_components,
    )


def _two_sample_accuracy(a: np.ndarray, b: np.ndarray) -> Accuracy:
    """Of telling a from b `[S, D]`, learnt on the first half of each and tried on the second."""
    half = len(a) // 2
    z = np.concatenate([a[:half], b[:half], a[half:], b[half:]]).astype(np.float64)
    from_b = np.repeat([0, 1, 0, 1], [half, half, len(a) - half, len(b) - half])
    classifier = make_pipeline(
        StandardScaler(), PolynomialFeatures(2, include_bias=False), StandardScaler(), LogisticRegression(max_iter=2000)
    ).fit(z[: 2 * half], from_b[: 2 * half])
    correct = classifier.predict(z[2 * half :]) == from_b[2 * half :]
    return Accuracy(int(correct.sum()), len(correct))
