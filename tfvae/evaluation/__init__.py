"""Measures of trained models with standard errors, and the report of a run."""

from tfvae import _backend as _backend
from tfvae.evaluation._finite import NotFiniteError
from tfvae.evaluation.accuracy import accuracy
from tfvae.evaluation.active_units import active_units
from tfvae.evaluation.auroc import AUROC, auroc
from tfvae.evaluation.baseline import (
    independent_columns_log_likelihood,
    independent_log_likelihood,
    independent_log_likelihood_by_column,
    sized_counts_log_likelihood,
)
from tfvae.evaluation.diagnostics import Diagnostics, diagnostics
from tfvae.evaluation.dimensions import ActiveUnits, DimensionKLs
from tfvae.evaluation.effective_dimensions import EffectiveDimensions, effective_dimensions
from tfvae.evaluation.elbo import elbo
from tfvae.evaluation.gaps import InferenceGaps, inference_gaps
from tfvae.evaluation.gradient_noise import GradientNoise, GradientVariance
from tfvae.evaluation.gradient_variance import gradient_variance
from tfvae.evaluation.imputation import Imputation, impute
from tfvae.evaluation.log_marginal import log_marginal
from tfvae.evaluation.log_marginal_ais import BidirectionalAIS, bidirectional_ais, log_marginal_ais
from tfvae.evaluation.log_marginal_hmc import log_marginal_hmc
from tfvae.evaluation.prior_vs_posterior import PriorVsPosterior, prior_vs_posterior
from tfvae.evaluation.record import Record, bits_per_dim
from tfvae.evaluation.representation import Accuracy, Representation, representation
from tfvae.evaluation.score import ScoreReference, Scores, score, score_reference
from tfvae.evaluation.table_comparison import TableComparison, compare_tables
from tfvae.evaluation.table_discrimination import Discrimination, tell_apart
from tfvae.evaluation.table_likelihood import ColumnLogLikelihoods, log_likelihood_by_column
from tfvae.evaluation.table_prediction import TrainOnSynthetic, train_on_synthetic
from tfvae.evaluation.traversal import Interpolation, Traversal, interpolate, latent_traversal

__all__ = [
    "AUROC",
    "Accuracy",
    "ActiveUnits",
    "BidirectionalAIS",
    "ColumnLogLikelihoods",
    "Diagnostics",
    "DimensionKLs",
    "Discrimination",
    "EffectiveDimensions",
    "GradientNoise",
    "GradientVariance",
    "Imputation",
    "InferenceGaps",
    "Interpolation",
    "NotFiniteError",
    "PriorVsPosterior",
    "Record",
    "Representation",
    "ScoreReference",
    "Scores",
    "TableComparison",
    "TrainOnSynthetic",
    "Traversal",
    "accuracy",
    "active_units",
    "auroc",
    "bidirectional_ais",
    "bits_per_dim",
    "compare_tables",
    "diagnostics",
    "effective_dimensions",
    "elbo",
    "gradient_variance",
    "impute",
    "independent_columns_log_likelihood",
    "independent_log_likelihood",
    "independent_log_likelihood_by_column",
    "inference_gaps",
    "interpolate",
    "latent_traversal",
    "log_likelihood_by_column",
    "log_marginal",
    "log_marginal_ais",
    "log_marginal_hmc",
    "prior_vs_posterior",
    "representation",
    "score",
    "score_reference",
    "sized_counts_log_likelihood",
    "tell_apart",
    "train_on_synthetic",
]
