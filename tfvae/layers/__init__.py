"""Distribution layers: a tensor of parameters in, a TFP distribution out, with `tfp.layers`' names and arguments."""

from tfvae import _backend as _backend
from tfvae.layers.distribution_lambda import DistributionLambda
from tfvae.layers.distribution_layer import DistributionLayer
from tfvae.layers.independent_bernoulli import IndependentBernoulli
from tfvae.layers.independent_normal import IndependentNormal
from tfvae.layers.kl_divergence_add_loss import KLDivergenceAddLoss
from tfvae.layers.kl_divergence_regularizer import KLDivergenceRegularizer
from tfvae.layers.multivariate_normal_diag import MultivariateNormalDiag
from tfvae.layers.multivariate_normal_tril import MultivariateNormalTriL

__all__ = [
    "DistributionLambda",
    "DistributionLayer",
    "IndependentBernoulli",
    "IndependentNormal",
    "KLDivergenceAddLoss",
    "KLDivergenceRegularizer",
    "MultivariateNormalDiag",
    "MultivariateNormalTriL",
]
