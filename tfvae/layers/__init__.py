"""Distribution layers, which turn a tensor of parameters into a TFP distribution.

The names and arguments are those of `tfp.layers`.
"""

from typing import Any

from tfvae import _backend as _backend
from tfvae import losses as _losses  # noqa: F401  # registers them for loading compiled models
from tfvae.layers import _log_odds_kl as _log_odds_kl  # registers KL divergences
from tfvae.layers import _replacements
from tfvae.layers.autoregressive_transform import AutoregressiveTransform
from tfvae.layers.beta_binomial import BetaBinomial
from tfvae.layers.blockwise_initializer import BlockwiseInitializer
from tfvae.layers.categorical_mixture_of_one_hot_categorical import CategoricalMixtureOfOneHotCategorical
from tfvae.layers.discretized_logistic import DiscretizedLogistic
from tfvae.layers.discretized_logistic_mixture import DiscretizedLogisticMixture
from tfvae.layers.distribution_lambda import DistributionLambda
from tfvae.layers.distribution_layer import DistributionLayer
from tfvae.layers.gamma_sticks import GammaSticks
from tfvae.layers.generic_distribution import GenericDistribution
from tfvae.layers.independent_bernoulli import IndependentBernoulli
from tfvae.layers.independent_beta import IndependentBeta
from tfvae.layers.independent_categorical import IndependentCategorical
from tfvae.layers.independent_continuous_bernoulli import IndependentContinuousBernoulli
from tfvae.layers.independent_kumaraswamy import IndependentKumaraswamy
from tfvae.layers.independent_laplace import IndependentLaplace
from tfvae.layers.independent_logistic import IndependentLogistic
from tfvae.layers.independent_negative_binomial import IndependentNegativeBinomial
from tfvae.layers.independent_normal import IndependentNormal
from tfvae.layers.independent_poisson import IndependentPoisson
from tfvae.layers.independent_student_t import IndependentStudentT
from tfvae.layers.independent_zero_inflated_negative_binomial import IndependentZeroInflatedNegativeBinomial
from tfvae.layers.joint import Joint
from tfvae.layers.kl_divergence_add_loss import KLDivergenceAddLoss
from tfvae.layers.kl_divergence_regularizer import KLDivergenceRegularizer
from tfvae.layers.kumaraswamy_sticks import KumaraswamySticks
from tfvae.layers.log_counts import LogCounts
from tfvae.layers.logit_normal_sticks import LogitNormalSticks
from tfvae.layers.mixture_logistic import MixtureLogistic
from tfvae.layers.mixture_normal import MixtureNormal
from tfvae.layers.mixture_same_family import MixtureSameFamily
from tfvae.layers.multivariate_normal_diag import MultivariateNormalDiag
from tfvae.layers.multivariate_normal_diag_plus_low_rank import MultivariateNormalDiagPlusLowRank
from tfvae.layers.multivariate_normal_tril import MultivariateNormalTriL
from tfvae.layers.normalizing_flow import NormalizingFlow
from tfvae.layers.one_hot_categorical import OneHotCategorical
from tfvae.layers.poincare_normal import PoincareNormal
from tfvae.layers.riemannian_normal import RiemannianNormal
from tfvae.layers.sized_negative_binomial import SizedNegativeBinomial
from tfvae.layers.standardization import Standardization
from tfvae.layers.standardized import Standardized
from tfvae.layers.stick_breaking import StickBreaking
from tfvae.layers.table_encoding import TableEncoding
from tfvae.layers.table_likelihood import TableLikelihood
from tfvae.layers.variable_layer import VariableLayer
from tfvae.layers.variational_gaussian_process import VariationalGaussianProcess
from tfvae.layers.variational_weights import VariationalWeights
from tfvae.layers.von_mises_fisher import VonMisesFisher

__all__ = [
    "AutoregressiveTransform",
    "BetaBinomial",
    "BlockwiseInitializer",
    "CategoricalMixtureOfOneHotCategorical",
    "DiscretizedLogistic",
    "DiscretizedLogisticMixture",
    "DistributionLambda",
    "DistributionLayer",
    "GammaSticks",
    "GenericDistribution",
    "IndependentBernoulli",
    "IndependentBeta",
    "IndependentCategorical",
    "IndependentContinuousBernoulli",
    "IndependentKumaraswamy",
    "IndependentLaplace",
    "IndependentLogistic",
    "IndependentNegativeBinomial",
    "IndependentNormal",
    "IndependentPoisson",
    "IndependentStudentT",
    "IndependentZeroInflatedNegativeBinomial",
    "Joint",
    "KLDivergenceAddLoss",
    "KLDivergenceRegularizer",
    "KumaraswamySticks",
    "LogCounts",
    "LogitNormalSticks",
    "MixtureLogistic",
    "MixtureNormal",
    "MixtureSameFamily",
    "MultivariateNormalDiag",
    "MultivariateNormalDiagPlusLowRank",
    "MultivariateNormalTriL",
    "NormalizingFlow",
    "OneHotCategorical",
    "PoincareNormal",
    "RiemannianNormal",
    "SizedNegativeBinomial",
    "Standardization",
    "Standardized",
    "StickBreaking",
    "TableEncoding",
    "TableLikelihood",
    "VariableLayer",
    "VariationalGaussianProcess",
    "VariationalWeights",
    "VonMisesFisher",
]


def __getattr__(name: str) -> Any:
    raise AttributeError(_replacements.missing_attribute_message(name, __all__))
