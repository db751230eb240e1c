"""Names of parts, one dictionary for each package. A new part is one line here.

The values are "module:name", so that a misspelt kind is reported before TensorFlow is imported.
"""

# Distribution layers, for posteriors and likelihoods.
LAYERS = {
    "bernoulli": "tfvae.layers:IndependentBernoulli",
    "beta": "tfvae.layers:IndependentBeta",
    "beta_binomial": "tfvae.layers:BetaBinomial",
    "categorical": "tfvae.layers:IndependentCategorical",
    "categorical_mixture_of_one_hot_categorical": "tfvae.layers:CategoricalMixtureOfOneHotCategorical",
    "continuous_bernoulli": "tfvae.layers:IndependentContinuousBernoulli",
    "diag": "tfvae.layers:MultivariateNormalDiag",
    "diag_plus_low_rank": "tfvae.layers:MultivariateNormalDiagPlusLowRank",
    "discretized_logistic": "tfvae.layers:DiscretizedLogistic",
    "discretized_logistic_mixture": "tfvae.layers:DiscretizedLogisticMixture",
    "generic": "tfvae.layers:GenericDistribution",
    "kumaraswamy": "tfvae.layers:IndependentKumaraswamy",
    "laplace": "tfvae.layers:IndependentLaplace",
    "logistic": "tfvae.layers:IndependentLogistic",
    "mixture_logistic": "tfvae.layers:MixtureLogistic",
    "mixture_normal": "tfvae.layers:MixtureNormal",
    "negative_binomial": "tfvae.layers:IndependentNegativeBinomial",
    "normal": "tfvae.layers:IndependentNormal",
    "one_hot_categorical": "tfvae.layers:OneHotCategorical",
    "poisson": "tfvae.layers:IndependentPoisson",
    "sized_negative_binomial": "tfvae.layers:SizedNegativeBinomial",
    "student_t": "tfvae.layers:IndependentStudentT",
    "table": "tfvae.layers:TableLikelihood",
    "tril": "tfvae.layers:MultivariateNormalTriL",
    "von_mises_fisher": "tfvae.layers:VonMisesFisher",
    "zero_inflated_negative_binomial": "tfvae.layers:IndependentZeroInflatedNegativeBinomial",
}

# Layers that are posteriors too: of real values, or of unit vectors; and those of the log-odds of sticks, and of points
# of the Poincare ball.
POSTERIORS = {
    "autoregressive_flow": "tfvae.training.flow_posterior:autoregressive_flow",
    "flow": "tfvae.training.flow_parts:flow",
    "gamma_sticks": "tfvae.layers:GammaSticks",
    "kumaraswamy_sticks": "tfvae.layers:KumaraswamySticks",
    "logit_normal_sticks": "tfvae.layers:LogitNormalSticks",
    "poincare_normal": "tfvae.layers:PoincareNormal",
    "riemannian_normal": "tfvae.layers:RiemannianNormal",
    **{
        kind: LAYERS[kind]
        for kind in (
            "diag", "diag_plus_low_rank", "laplace", "logistic", "mixture_logistic", "mixture_normal", "student_t",
            "tril", "von_mises_fisher",
        )
    },
}  # fmt: skip

# Transforms of posteriors and priors that are flows.
TRANSFORMS = {
    "coupling": "tfvae.flows:Coupling",
    "inverse_autoregressive": "tfvae.flows:InverseAutoregressive",
    "planar": "tfvae.flows:Planar",
    "radial": "tfvae.flows:Radial",
    "spline": "tfvae.flows:Spline",
    "sylvester": "tfvae.flows:Sylvester",
}

PRIORS = {
    "conditional": "tfvae.training.conditional:conditional_prior",
    "flow": "tfvae.training.flow_parts:flow_prior",
    "mixture": "tfvae.priors:MixtureOfGaussians",
    "normal": "tfvae.priors:Normal",
    "poincare_normal": "tfvae.priors:PoincareNormal",
    "riemannian_normal": "tfvae.priors:RiemannianNormal",
    "spherical_uniform": "tfvae.priors:SphericalUniform",
    "standard_normal": "tfvae.priors:StandardNormal",
    "stick_breaking": "tfvae.priors:StickBreaking",
    "vamp": "tfvae.priors:VampPrior",
}

ESTIMATORS = {
    "ciwae": "tfvae.estimators:CIWAE",
    "dreg": "tfvae.estimators:DReG",
    "enumerated": "tfvae.estimators:Enumerated",
    "hamiltonian": "tfvae.estimators:HamiltonianELBO",
    "iwae": "tfvae.estimators:ImportanceWeighted",
    "miwae": "tfvae.estimators:MIWAE",
    "piwae": "tfvae.estimators:PIWAE",
    "renyi": "tfvae.estimators:Renyi",
    "reweighted_wake_sleep": "tfvae.estimators:ReweightedWakeSleep",
    "score_function": "tfvae.estimators:ScoreFunction",
    "sgvb": "tfvae.estimators:SGVB",
    "sticking_the_landing": "tfvae.estimators:StickingTheLanding",
    "vimco": "tfvae.estimators:VIMCO",
    "wake_sleep": "tfvae.estimators:WakeSleep",
}

# Baselines of the score function.
BASELINES = {"running_mean": "tfvae.estimators:RunningMean"}

# What the KL costs: a weighting, or a schedule of its weight.
WEIGHTINGS = {"capacity": "tfvae.estimators:Capacity", "free_bits": "tfvae.estimators:FreeBits"}
SCHEDULES = {
    "constant": "tfvae.callbacks:Constant",
    "cyclical": "tfvae.callbacks:Cyclical",
    "linear_warm_up": "tfvae.callbacks:LinearWarmUp",
}

# The networks of encoder and decoder: those that flatten an example, and those of its 1 to 3 spatial axes.
OF_ANY_SHAPE = {
    "gated_mlp": "tfvae.networks:gated_mlp",
    "gyroplane_mlp": "tfvae.training.gyroplane_network:gyroplane_mlp",
    "mlp": "tfvae.networks:mlp",
    "residual_mlp": "tfvae.networks:residual_mlp",
}
ENCODERS = {"conv": "tfvae.networks:conv_encoder", "resnet": "tfvae.networks:residual_encoder", **OF_ANY_SHAPE}
DECODERS = {
    "conv": "tfvae.networks:conv_decoder",
    "resnet": "tfvae.networks:residual_decoder",
    **OF_ANY_SHAPE,
    "gyroplane_mlp": "tfvae.networks:gyroplane_mlp",
}

OPTIMIZERS = {
    "adadelta": "keras.optimizers:Adadelta",
    "adafactor": "keras.optimizers:Adafactor",
    "adagrad": "keras.optimizers:Adagrad",
    "adam": "keras.optimizers:Adam",
    "adamax": "keras.optimizers:Adamax",
    "adamw": "keras.optimizers:AdamW",
    "ftrl": "keras.optimizers:Ftrl",
    "lamb": "keras.optimizers:Lamb",
    "lion": "keras.optimizers:Lion",
    "muon": "keras.optimizers:Muon",
    "nadam": "keras.optimizers:Nadam",
    "rmsprop": "keras.optimizers:RMSprop",
    "sgd": "keras.optimizers:SGD",
}

LEARNING_RATES = {
    "cosine_decay": "keras.optimizers.schedules:CosineDecay",
    "cosine_decay_restarts": "keras.optimizers.schedules:CosineDecayRestarts",
    "exponential_decay": "keras.optimizers.schedules:ExponentialDecay",
    "inverse_time_decay": "keras.optimizers.schedules:InverseTimeDecay",
    "piecewise_constant_decay": "keras.optimizers.schedules:PiecewiseConstantDecay",
    "polynomial_decay": "keras.optimizers.schedules:PolynomialDecay",
}

# Callbacks that compare epochs.
CALLBACKS = {
    "early_stopping": "keras.callbacks:EarlyStopping",
    "reduce_lr_on_plateau": "keras.callbacks:ReduceLROnPlateau",
}

# How a sweep with [optuna] chooses the settings of its trials, and which trials it stops.
SAMPLERS = {
    "qmc": "tfvae.sweeps.samplers:qmc",
    "random": "tfvae.sweeps.samplers:random",
    "tpe": "tfvae.sweeps.samplers:tpe",
}
PRUNERS = {
    "hyperband": "tfvae.sweeps.pruners:hyperband",
    "median": "tfvae.sweeps.pruners:median",
    "none": "tfvae.sweeps.pruners:none",
    "percentile": "tfvae.sweeps.pruners:percentile",
    "successive_halving": "tfvae.sweeps.pruners:successive_halving",
    "threshold": "tfvae.sweeps.pruners:threshold",
}
