"""Slower measurements of a trained model by `tfvae evaluate`."""

from collections.abc import Callable
from typing import Any, NamedTuple

from matplotlib.figure import Figure

from tfvae import evaluation
from tfvae._dimensions import is_vector
from tfvae._display import Display
from tfvae.data import Split
from tfvae.data.examples import CONDITION, OBSERVED
from tfvae.data.holes import with_nan
from tfvae.estimators import SGVB, DReG, Estimator, ImportanceWeighted, ScoreFunction, StickingTheLanding
from tfvae.evaluation import figures
from tfvae.evaluation._latents import example_prior
from tfvae.models import VAE
from tfvae.training.attempts import Attempts
from tfvae.training.run_data import RunData
from tfvae.training.saved_run import Run

# Maximum number of latent dimensions for the estimator of the paper with Hamiltonian Monte Carlo.
_MAX_DIMENSIONS_HMC = 5
_NUM_ANNEALING_STEPS = 500
_NUM_LABELED = 5000  # training examples for the classifiers


class Examination(NamedTuple):
    """Entries of the report, and figures by name."""

    report: dict[str, Any]
    figures: dict[str, Figure]


def examine(
    run: Run,
    data: RunData,
    *,
    display: Display,
    attempt: Attempts,
    on_stage: Callable[[str], None],
) -> Examination:
    """Examines latents, inference, other estimates of log p(x), representation and gradients of a model.

    Args:
        run: The run.
        data: The data of the run. Expensive measures use the first `config.evaluation.num_examples` reported examples.
        display: Display of the data.
        attempt: Runs each measure and figure. Those that fail are omitted.
        on_stage: Function that is called with a line of text when a stage begins.
    """
    vae, settings, split = run.vae, run.config.evaluation, data.evaluation
    few = split.take(min(settings.num_examples, len(split)))
    report: dict[str, Any] = {}
    drawn: dict[str, Figure] = {}

    def measure(name: str, step: Callable[[], Any]) -> Any:
        """Adds `step()` to the report and returns it, or None if it fails."""
        found = attempt(name.replace("_", " "), step)
        if found is not None:
            report[name] = found if isinstance(found, dict) else found.to_dict()
        return found

    def draw(name: str, step: Callable[[], Figure]) -> None:
        """Draws examples as pictures, except rows of a table, which are none."""
        figure = attempt(name, step) if split.schema is None else None
        if figure is not None:
            drawn[name] = figure

    on_stage("measuring the terms of the ELBO")
    measure(
        "diagnostics",
        lambda: evaluation.diagnostics(vae, split, num_samples=settings.num_samples, num_levels=data.num_levels),
    )
    if not is_vector(example_prior(vae)):  # as all other measures require
        return Examination(report, drawn)
    condition = None if vae.condition_shape is None else split.condition
    on_stage(f"refining q(z|x) for {len(few)} examples")
    k = max(settings.num_importance_samples, 2)
    measure("inference_gaps", lambda: evaluation.inference_gaps(vae, few, num_importance_samples=k))
    on_stage(f"annealed importance sampling for {len(few)} examples and as many simulated ones")
    measure("log_marginal_ais", lambda: evaluation.log_marginal_ais(vae, few, num_steps=_NUM_ANNEALING_STEPS))
    measure("bidirectional_ais", lambda: _bidirectional(vae, len(few), few.condition))
    if vae.latent_shape[0] <= _MAX_DIMENSIONS_HMC:
        on_stage(f"Hamiltonian Monte Carlo for {len(few)} examples")
        measure("log_marginal_hmc", lambda: evaluation.log_marginal_hmc(vae, few, num_samples=200, num_burnin=200))
    learn = data.train(_NUM_LABELED)
    if learn.labels is not None and split.labels is not None:
        on_stage("predicting labels from the latents")
        measure("representation", lambda: evaluation.representation(vae, learn, split))
    on_stage("comparing prior and posterior")
    samples = measure("prior_vs_posterior", lambda: evaluation.prior_vs_posterior(vae, split))
    if samples is not None:
        draw("prior_vs_posterior", lambda: figures.prior_vs_posterior(samples, display=display))
    first = None if condition is None else condition[0]
    x = with_nan(split.x, split.observed)
    draw("traversals", lambda: figures.traversals(vae, x[0], condition=first, display=display))
    half = min(8, len(split) // 2)
    if half:
        pair, given = (x[:half], x[half : 2 * half]), None if condition is None else condition[:half]
        draw("interpolations", lambda: figures.interpolations(vae, *pair, condition=given, display=display))
    on_stage("measuring the noise of gradients")
    batch = _batch(data.train(run.config.training.batch_size))
    noise = measure("gradient_variance", lambda: evaluation.gradient_variance(vae, batch, _ESTIMATORS))
    if noise is not None:
        figure = attempt("gradient_variance", noise.figure)
        drawn |= {} if figure is None else {"gradient_variance": figure}
    return Examination(report, drawn)


def _batch(split: Split) -> Any:
    """Returns all examples of a split as one batch."""
    parts = {"x": split.x, CONDITION: split.condition, OBSERVED: split.observed}
    return {name: part for name, part in parts.items() if part is not None}


def _bidirectional(vae: VAE, num_examples: int, condition: Any) -> dict[str, Any]:
    given = None if vae.condition_shape is None else condition
    both = evaluation.bidirectional_ais(vae, num_examples=num_examples, condition=given, num_steps=_NUM_ANNEALING_STEPS)
    return {"lower": both.lower.to_dict(), "upper": both.upper.to_dict(), "gap": both.gap.to_dict()}


_ESTIMATORS: dict[str, Estimator] = {
    "score function": ScoreFunction(),
    "score function, 10 draws": ScoreFunction(10),
    "A": SGVB(kl="monte_carlo"),
    "B": SGVB(),
    "B, 10 draws": SGVB(10),
    "sticking the landing": StickingTheLanding(),
    "importance weighted, K = 10": ImportanceWeighted(10),
    "DReG, K = 10": DReG(10),
}
