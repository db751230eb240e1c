"""The learners of Kingma & Welling 2013: algorithm 1 and Monte Carlo EM."""

import numpy as np

from same_numbers_scenarios.parts import LATENT, SHAPE, images
from tfvae.data import Split
from tfvae.estimators import SGVB, ScoreFunction, WakeSleep
from tfvae.papers.kingma_welling_2013 import AlgorithmOne, MonteCarloEM, build_vae

TRAIN = Split(images(230))


def paper_vae(estimator, likelihood="bernoulli"):
    """The paper's model with few units."""
    return build_vae(
        SHAPE, likelihood=likelihood, latent_size=LATENT, hidden=10, num_train=230, estimator=estimator, seed=3
    )


def algorithm_1(estimator, likelihood="bernoulli", jit_compile=False):
    """The scenario of two stretches, with a restart before and a saved model between them."""

    def scenario(folder):
        learner = AlgorithmOne(paper_vae(estimator, likelihood), TRAIN, seed=3, jit_compile=jit_compile)
        learner.restart(0.1)
        learner.advance(300)
        learner.restart(0.02)
        learner.advance(500)
        learner.save(folder)
        found = {f"first/{i}": weight for i, weight in enumerate(learner.vae.get_weights())}
        learner.advance(300)
        found |= {f"second/{i}": weight for i, weight in enumerate(learner.vae.get_weights())}
        learner.load(folder)
        learner.advance(300)
        return found | {f"loaded/{i}": weight for i, weight in enumerate(learner.vae.get_weights())}

    return scenario


def monte_carlo_em(folder):
    """Some transitions of the chains and updates of the weights."""
    learner, found = MonteCarloEM(paper_vae(SGVB()), TRAIN, seed=5), {}
    for name, rate in (("first", 0.02), ("restarted", 0.1)):
        learner.restart(rate)
        learner.advance(5 * 100 * 4)
        found |= {f"{name}/{i}": weight for i, weight in enumerate(learner.vae.decoder.get_weights())}
        found |= {f"{name}/{key}": np.array(value) for key, value in learner.diagnostics().items()}
    learner.save(folder)
    learner.advance(5 * 100 * 2)
    found |= {f"on/{i}": weight for i, weight in enumerate(learner.vae.decoder.get_weights())}
    learner.load(folder)
    learner.advance(5 * 100 * 2)
    return found | {f"loaded/{i}": weight for i, weight in enumerate(learner.vae.decoder.get_weights())}


SCENARIOS = {
    "algorithm_1": algorithm_1(SGVB(kl="analytic")),
    "algorithm_1_normal": algorithm_1(SGVB(kl="monte_carlo"), "normal"),
    "algorithm_1_compiled": algorithm_1(SGVB(kl="analytic"), jit_compile=True),
    "wake_sleep": algorithm_1(WakeSleep()),
    "score_function": algorithm_1(ScoreFunction(kl="monte_carlo")),
    "monte_carlo_em": monte_carlo_em,
}
