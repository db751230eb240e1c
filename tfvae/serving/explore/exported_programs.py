"""Functions of an exported model that the explore page calls, before the model itself is loaded."""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from tfvae.export.program import Program
from tfvae.serving.explore.loading import Loading
from tfvae.serving.explore.terms import Terms

if TYPE_CHECKING:
    from tfvae.serving.explore.programs import Programs

_BATCH = 100
_NEEDED = {"posterior": {"loc", "scale"}, "likelihood": {"mean"}, "sample": {"z"}}


class ExportedPrograms:
    """`Programs` of an exported model without a condition or a label, whose prior is standard normal.

    The page needs only means and draws at its start, which the SavedModel computes without Keras and TFP. ELBO and
    log p(x) of an image need the model, which `loading` loads in a thread.

    Args:
        program: The exported model.
        load: Function that loads the model itself, with compiled functions.

    Attributes:
        loading: The model itself.

    Raises:
        ValueError: If `can_use` is False.
    """

    labels = None
    steer_shape = None

    def __init__(self, program: Program, load: "Callable[[], Programs]"):
        if not can_use(program):
            raise ValueError("The exported model must have one vector of latents, and neither condition nor label.")
        self._program, self.loading = program, Loading(load)
        (self.latent_size,) = program.manifest["latent_shape"]

    def check(self, x: np.ndarray, steer: np.ndarray | None, observed: np.ndarray | None) -> None:
        """Raises ValueError if the model does not accept x `[N, *event]`. The message is that of the model."""
        low, high = self._program.manifest["support"]
        is_known = list(x.shape[1:]) == self._program.manifest["event_shape"] and np.isfinite(x).all()
        if not is_known or (low is not None and x.min() < low) or (high is not None and x.max() > high):
            self.loading.result().check(x, steer, observed)

    def decode(self, z: np.ndarray, steer: np.ndarray | None = None) -> np.ndarray:
        """Returns the mean of p(x|z), float32 `[N, *event]`, for z `[N, D]`."""
        return self._program.run("likelihood", {"z": z.astype(np.float32, copy=False)})["mean"]

    def terms(
        self, x: np.ndarray, steer: np.ndarray | None = None, observed: np.ndarray | None = None
    ) -> "ExportedTerms":
        """Computes the posterior moments of examples `[N, *event]`. Their ELBO is computed later."""
        parts = [self._program.run("posterior", {"x": x[i : i + _BATCH]}) for i in range(0, len(x), _BATCH)]
        loc, scale = (np.concatenate([part[name] for part in parts]) for name in ("loc", "scale"))
        return ExportedTerms(loc, scale, lambda: self.loading.result().terms(x))

    def terms_of_one(self, x: np.ndarray, seed: int, steer: np.ndarray | None = None) -> Terms:
        """As `Programs.terms_of_one`."""
        return self.loading.result().terms_of_one(x, seed)

    def log_marginal(self, x: np.ndarray, seed: int, steer: np.ndarray | None = None) -> float:
        """As `Programs.log_marginal`."""
        return self.loading.result().log_marginal(x, seed)

    def prior_draws(self, num_samples: int, seed: int, steer: np.ndarray | None = None) -> np.ndarray:
        """Draws the z ~ p(z) of `vae.sample`, float32 `[N, D]`."""
        given = {"num_samples": np.array(num_samples, np.int32), "seed": self._program.block_seed(seed, 0)}
        return self._program.run("sample", given)["z"]

    def prior_moments(self, steer: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Returns the mean and the standard deviation of the prior `[D]`."""
        return np.zeros(self.latent_size), np.ones(self.latent_size)


class ExportedTerms:
    """Posterior moments of examples, and terms of their ELBO that are computed when they are needed.

    Args:
        loc: Mean of q(z|x) `[N, D]`.
        scale: Standard deviation of q(z|x) `[N, D]`.
        all_terms: Function that computes all terms.

    Attributes:
        kl: KL(q(z|x) || p(z)) `[N]` of diagonal normals, nats.

    References:
        Kingma & Welling, Auto-Encoding Variational Bayes, 2013, arXiv 1312.6114, appendix B.
    """

    def __init__(self, loc: np.ndarray, scale: np.ndarray, all_terms: Callable[[], Terms]):
        self.loc, self._all_terms = loc, all_terms
        variance = np.square(scale, dtype=np.float64)
        # KL = 1/2 sum_d (mu_d^2 + sigma_d^2 - 1 - log sigma_d^2)
        self.kl = 0.5 * (np.square(loc, dtype=np.float64) + variance - 1.0 - np.log(variance)).sum(axis=1)

    @functools.cached_property
    def elbo(self) -> np.ndarray:
        """The ELBO `[N]`, nats."""
        return self._all_terms().elbo


def can_use(program: Program) -> bool:
    """Whether an exported model has one vector of latents, neither condition nor label, and the needed signatures.

    Its prior and posterior are not checked.
    """
    manifest: Any = program.manifest
    has_outputs = all(
        name in program.definitions and outputs <= set(program.definitions[name].outputs)
        for name, outputs in _NEEDED.items()
    )
    is_vector = isinstance(manifest["latent_shape"], list) and len(manifest["latent_shape"]) == 1
    is_plain = not {"condition_shape", "labels", "missing"} & set(manifest) and "support" in manifest
    return has_outputs and is_vector and is_plain and manifest.get("latent_dtype") == "float32"
