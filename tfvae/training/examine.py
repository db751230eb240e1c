"""The second, slower look at a trained model that `tfvae evaluate` takes."""

from collections.abc import Callable
from typing import Any, NamedTuple

from matplotlib.figure import Figure

from tfvae import evaluation
from tfvae.data import Split, Splits
from tfvae.estimators import SGVB, DReG, Estimator, ImportanceWeighted, ScoreFunction, StickingTheLanding
from tfvae.evaluation import figures
from tfvae.training.build import evaluation_split, held
from tfvae.training.saved_run import Run

# The most latent dimensions for which the paper's estimator with Hamiltonian Monte Carlo is tried.
_MOST_DIMENSIONS_HMC = 5
_NUM_ANNEALING_STEPS = 500
_NUM_LABELED = 5000  # training examples that the classifiers learn from


class Examination(NamedTuple):
    """What goes into the report, and the figures by name."""

    report: dict[str, Any]
    figures: dict[str, Figure]


def examine(
    run: Run, splits: Splits, split: Split, *, num_levels: int | None, on_stage: Callable[[str], None]
) -> Examination:
    """Latents, inference, log p(x) by other ways, representation and gradients of a run's model.

    Args:
        run: the run.
        splits: its data, as they were loaded.
        split: the examples to report, as the likelihood models them; the costly measures take the first
            `config.evaluation.num_examples` of them.
        num_levels: of dequantised data, else None.
        on_stage: called with a line of text when a stage begins.
    """
    vae, settings = run.vae, run.config.evaluation
    few = split.take(min(settings.num_examples, len(split)))
    report: dict[str, Any] = {}
    drawn: dict[str, Figure] = {}

    on_stage("taking the ELBO apart")
    found = evaluation.diagnostics(vae, split, num_samples=settings.num_samples, num_levels=num_levels)
    report["diagnostics"] = found.to_dict()
    on_stage(f"refining q(z|x) for {len(few)} examples")
    k = settings.num_importance_samples
    report["inference_gaps"] = evaluation.inference_gaps(vae, few, num_importance_samples=max(k, 2)).to_dict()
    on_stage(f"annealed importance sampling for {len(few)} examples, and for as many simulated ones")
    report["log_marginal_ais"] = evaluation.log_marginal_ais(vae, few, num_steps=_NUM_ANNEALING_STEPS).to_dict()
    both = evaluation.bidirectional_ais(vae, num_examples=len(few), num_steps=_NUM_ANNEALING_STEPS)
    report["bidirectional_ais"] = {
        "lower": both.lower.to_dict(),
        "upper": both.upper.to_dict(),
        "gap": both.gap.to_dict(),
    }
    if vae.latent_shape[0] <= _MOST_DIMENSIONS_HMC:
        on_stage(f"Hamiltonian Monte Carlo for {len(few)} examples")
        report["log_marginal_hmc"] = evaluation.log_marginal_hmc(vae, few, num_samples=200, num_burnin=200).to_dict()
    train = evaluation_split(run.config, held(splits.train))
    if train.labels is not None and split.labels is not None:
        on_stage("reading labels off the latents")
        learn = train.take(min(_NUM_LABELED, len(train)))
        report["representation"] = evaluation.representation(vae, learn, split).to_dict()
    on_stage("comparing prior and posterior")
    samples = evaluation.prior_vs_posterior(vae, split)
    report["prior_vs_posterior"] = samples.to_dict()
    drawn["prior_vs_posterior"] = figures.prior_vs_posterior(samples)
    drawn["traversals"] = figures.traversals(vae, split.x[0])
    half = min(8, len(split) // 2)
    drawn["interpolations"] = figures.interpolations(vae, split.x[:half], split.x[half : 2 * half])
    on_stage("measuring the noise of gradients")
    batch = train.x[: run.config.training.batch_size]
    noise = evaluation.gradient_variance(vae, batch, _ESTIMATORS)
    report["gradient_variance"] = noise.to_dict()
    drawn["gradient_variance"] = noise.figure()
    return Examination(report, drawn)


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
