"""Gamma distributions whose densities and divergences stay precise for large concentrations."""

import tensorflow_probability as tfp

from tfvae.layers._double_precision import DoublePrecision, register_kl


class Gamma(DoublePrecision, tfp.distributions.Gamma):
    """`tfd.Gamma` in float64."""


class InverseGamma(DoublePrecision, tfp.distributions.InverseGamma):
    """`tfd.InverseGamma` in float64."""


class Chi2(DoublePrecision, tfp.distributions.Chi2):
    """`tfd.Chi2` in float64."""


for _ours in (Gamma, Chi2):
    register_kl(_ours)
