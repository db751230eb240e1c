"""Estimators of a lower bound on log p(x) and of its gradient."""

from tfvae import _backend as _backend
from tfvae.estimators.capacity import Capacity
from tfvae.estimators.ciwae import CIWAE
from tfvae.estimators.draws import Draws, draw
from tfvae.estimators.dreg import DReG
from tfvae.estimators.elbo_terms import ELBOTerms, elbo_terms
from tfvae.estimators.enumerated import Enumerated
from tfvae.estimators.estimate import Estimate, Weighted
from tfvae.estimators.estimator import (
    Estimator,
    EstimatorOfLabels,
    EstimatorWithBuild,
    EstimatorWithLayers,
    EstimatorWithProposal,
    EstimatorWithUpdate,
)
from tfvae.estimators.free_bits import FreeBits
from tfvae.estimators.hamiltonian_elbo import HamiltonianELBO
from tfvae.estimators.importance_weighted import ImportanceWeighted
from tfvae.estimators.kl_by_part import kl_by_part
from tfvae.estimators.kl_weighting import KLPenalty, KLWeighting
from tfvae.estimators.miwae import MIWAE
from tfvae.estimators.monte_carlo import AveragedELBO, ImportanceEstimate, averaged_elbo, importance_estimate
from tfvae.estimators.partly_observed import PartlyObserved
from tfvae.estimators.piwae import PIWAE
from tfvae.estimators.problem import Problem
from tfvae.estimators.renyi import Renyi
from tfvae.estimators.reweighted_wake_sleep import ReweightedWakeSleep
from tfvae.estimators.running_mean import RunningMean
from tfvae.estimators.score_function import ScoreFunction
from tfvae.estimators.sgvb import SGVB
from tfvae.estimators.sticking_the_landing import StickingTheLanding
from tfvae.estimators.vimco import VIMCO
from tfvae.estimators.wake_sleep import WakeSleep

__all__ = [
    "CIWAE",
    "MIWAE",
    "PIWAE",
    "SGVB",
    "VIMCO",
    "AveragedELBO",
    "Capacity",
    "DReG",
    "Draws",
    "ELBOTerms",
    "Enumerated",
    "Estimate",
    "Estimator",
    "EstimatorOfLabels",
    "EstimatorWithBuild",
    "EstimatorWithLayers",
    "EstimatorWithProposal",
    "EstimatorWithUpdate",
    "FreeBits",
    "HamiltonianELBO",
    "ImportanceEstimate",
    "ImportanceWeighted",
    "KLPenalty",
    "KLWeighting",
    "PartlyObserved",
    "Problem",
    "Renyi",
    "ReweightedWakeSleep",
    "RunningMean",
    "ScoreFunction",
    "StickingTheLanding",
    "WakeSleep",
    "Weighted",
    "averaged_elbo",
    "draw",
    "elbo_terms",
    "importance_estimate",
    "kl_by_part",
]
