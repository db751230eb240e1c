"""`VAE.fit` with every estimator, weighting of the KL and schedule."""

import math

import keras

from same_numbers_scenarios.parts import bits_prior, fitting, make_encoder, make_vae
from tfvae.callbacks import BetaSchedule, Constant, Cyclical, LinearWarmUp
from tfvae.estimators import (
    CIWAE,
    MIWAE,
    PIWAE,
    SGVB,
    VIMCO,
    Capacity,
    DReG,
    FreeBits,
    ImportanceWeighted,
    Renyi,
    ReweightedWakeSleep,
    RunningMean,
    ScoreFunction,
    StickingTheLanding,
    WakeSleep,
)

ESTIMATORS = {
    "default": lambda: None,
    "sgvb_a": lambda: SGVB(2, kl="monte_carlo"),
    "sgvb_b": lambda: SGVB(2, kl="analytic"),
    "sticking_the_landing": lambda: StickingTheLanding(2),
    "importance_weighted": lambda: ImportanceWeighted(5, num_samples=2),
    "importance_weighted_chunks": lambda: ImportanceWeighted(5, chunk_size=2),
    "dreg": lambda: DReG(3, num_samples=2),
    "dreg_chunks": lambda: DReG(5, chunk_size=2),
    "miwae": lambda: MIWAE(2, 3),
    "piwae": lambda: PIWAE(2, 3),
    "ciwae": lambda: CIWAE(3, elbo_weight=0.25),
    "renyi": lambda: Renyi(0.3, 4),
    "renyi_max": lambda: Renyi(-math.inf, 4),
    "score_function": lambda: ScoreFunction(2),
    "score_function_running_mean": lambda: ScoreFunction(2, kl="monte_carlo", baseline=RunningMean(0.8)),
    "score_function_network": lambda: ScoreFunction(
        2, baseline=keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(1)])
    ),
    "vimco": lambda: VIMCO(3),
    "vimco_chunks": lambda: VIMCO(5, chunk_size=2),
    "wake_sleep": lambda: WakeSleep(2),
    "reweighted_wake_sleep": lambda: ReweightedWakeSleep(3),
    "reweighted_wake_sleep_sleep": lambda: ReweightedWakeSleep(3, encoder_phase="sleep"),
    "reweighted_wake_sleep_both": lambda: ReweightedWakeSleep(3, encoder_phase="both"),
}
# Posteriors of bits: there is no path through a draw.
DISCRETE = {
    "score_function": lambda: ScoreFunction(2, baseline=RunningMean()),
    "vimco": lambda: VIMCO(3),
    "reweighted_wake_sleep": lambda: ReweightedWakeSleep(3, encoder_phase="both"),
    "wake_sleep": WakeSleep,
}


def _with(estimator):
    return fitting(lambda: make_vae(estimator()))


def _discrete(estimator):
    return fitting(lambda: make_vae(estimator(), encoder=make_encoder(discrete=True), prior=bits_prior()))


def _weighted(beta, schedule=None, estimator=None):
    def scenario(folder):
        callbacks = [] if schedule is None else [BetaSchedule(schedule())]
        return fitting(lambda: make_vae(estimator and estimator(), beta=beta()), callbacks=callbacks)(folder)

    return scenario


SCENARIOS = {
    **{name: _with(estimator) for name, estimator in ESTIMATORS.items()},
    **{f"discrete_{name}": _discrete(estimator) for name, estimator in DISCRETE.items()},
    "beta": _weighted(lambda: 4.0),
    "free_bits": _weighted(lambda: FreeBits(0.1)),
    "free_bits_score_function": _weighted(lambda: FreeBits(0.1), estimator=lambda: ScoreFunction(2)),
    "capacity": _weighted(lambda: Capacity(2.0, 10.0), lambda: LinearWarmUp(num_steps=7)),
    "warm_up_epochs": _weighted(lambda: 1.0, lambda: LinearWarmUp(num_epochs=1)),
    "cyclical": _weighted(lambda: 1.0, lambda: Cyclical(num_steps=4)),
    "constant_importance_weighted": _weighted(lambda: 1.0, lambda: Constant(0.5), lambda: ImportanceWeighted(3)),
}
