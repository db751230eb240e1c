"""Models that are put together from the parts of a file, and parts that do not fit."""

import dataclasses
import tomllib

import keras
import numpy as np
import pytest
import tensorflow as tf
from slow import slow_except

import tfvae
from tfvae.callbacks._waiting import WaitingEpoch
from tfvae.data import load
from tfvae.data.splits import make_splits
from tfvae.training import RunConfig, build_vae
from tfvae.training.beta import schedule_callbacks
from tfvae.training.evaluate import _note
from tfvae.training.resolve import resolve
from tfvae.training.resume import resume_from
from tfvae.training.run_callbacks import RestoredCallbacks, make_callbacks, states_of
from tfvae.training.run_data import RunData
from tfvae.training.run_folder import RunFolder
from tfvae.training.training_state import TrainingState


def config_of(splits, **settings):
    tables = {
        "data": {"name": "digits" if splits.name == "digits" else "own.npy"},
        "model": {"latent_size": 2, "hidden": [4]},
        "training": {"epochs": 1},
    }
    for name, value in settings.items():
        tables["model" if name in ("posterior", "prior", "likelihood", "network") else "training"][name] = value
    return resolve(RunConfig.from_dict(tables), splits)


def built(splits, **settings):
    config = config_of(splits, **settings)
    assert RunConfig.from_dict(tomllib.loads(config.to_toml())) == config, "the file makes the same run"
    return config, build_vae(config, splits)


FITTING = {
    "low rank": {"posterior": {"kind": "diag_plus_low_rank", "rank": 2}},
    "laplace": {"posterior": "laplace"},
    "student": {"posterior": "student_t"},
    "flow posterior": {"posterior": {"kind": "autoregressive_flow", "num_transforms": 2}},
    "planar posterior": {"posterior": {"kind": "flow", "transform": "planar", "num_transforms": 2}},
    "sylvester posterior": {"posterior": {"kind": "flow", "transform": {"kind": "sylvester", "num_vectors": 2}}},
    "iaf posterior": {
        "posterior": {
            "kind": "flow",
            "transform": {"kind": "inverse_autoregressive", "context_size": 3, "hidden_units": [4]},
            "num_transforms": 2,
        }
    },
    "coupling prior": {"prior": {"kind": "flow", "transform": "coupling", "num_transforms": 2}},
    "spline posterior": {"posterior": {"kind": "flow", "transform": "spline", "num_transforms": 2}},
    "radial prior": {"prior": {"kind": "flow", "transform": "radial", "num_transforms": 2}},
    "sphere": {"posterior": "von_mises_fisher", "prior": "spherical_uniform"},
    "ball": {
        "posterior": {"kind": "poincare_normal", "curvature": 0.7},
        "prior": {"kind": "poincare_normal", "curvature": 0.7},
        "network": "gyroplane_mlp",
    },
    "riemannian ball": {
        "posterior": "riemannian_normal",
        "prior": {"kind": "riemannian_normal", "scale": 0.8, "learned": True},
        "estimator": "iwae",
    },
    "vamp on a ball": {
        "posterior": {"kind": "poincare_normal", "isotropic": True},
        "prior": {"kind": "vamp", "num_components": 3},
        "network": "gyroplane_mlp",
    },
    "ball in double precision": {
        "posterior": "poincare_normal",
        "prior": "riemannian_normal",
        "precision": "float64",
    },
    "ball in half precision": {
        "posterior": "poincare_normal",
        "prior": "poincare_normal",
        "precision": "mixed_bfloat16",
        "network": {"kind": "conv", "filters": [2]},
    },
    "sticks": {"posterior": "kumaraswamy_sticks", "prior": {"kind": "stick_breaking", "alpha0": 3.0}},
    "gamma sticks": {"posterior": {"kind": "gamma_sticks", "start": 3.0}, "prior": "stick_breaking"},
    "normal sticks": {"posterior": "logit_normal_sticks", "prior": "stick_breaking", "estimator": "iwae"},
    "flow prior": {"prior": {"kind": "flow", "num_transforms": 1, "hidden_units": [4]}},
    "mixture": {"prior": {"kind": "mixture", "num_components": 3}},
    "vamp": {"prior": {"kind": "vamp", "num_components": 3}, "estimator": "iwae"},
    "levels": {"likelihood": {"kind": "discretized_logistic_mixture", "num_components": 2}},
    "one level mixture": {"likelihood": "discretized_logistic"},
    "density": {"likelihood": {"kind": "mixture_normal", "num_components": 2}},
    "continuous": {"likelihood": "continuous_bernoulli"},
    "generic": {"likelihood": {"kind": "generic", "distribution_class": "Gumbel"}},
    "discrete gradients": {"posterior": {"kind": "mixture_normal", "num_components": 2}, "estimator": "vimco"},
    "baseline": {"estimator": {"kind": "score_function", "baseline": "running_mean"}},
    "wake-sleep": {"estimator": "wake_sleep"},
    "hamiltonian": {
        "estimator": {"kind": "hamiltonian", "num_steps": 2, "tempering": "free"},
        "prior": {"kind": "mixture", "num_components": 2},
    },
    "free bits": {"beta": {"kind": "free_bits", "nats": 0.5}, "optimizer": "lion"},
    "half precision": {"precision": "mixed_bfloat16", "prior": "normal"},
    "double precision": {"precision": "float64"},
    "decay": {"learning_rate": {"kind": "cosine_decay", "initial_learning_rate": 0.01, "decay_steps": 9}},
    "conv": {"network": {"kind": "conv", "filters": [2]}},
}
FAST = (
    "sylvester posterior",
    "iaf posterior",
    "radial prior",
    "sphere",
    "ball",
    "riemannian ball",
    "sticks",
    "vamp",
    "levels",
    "baseline",
    "hamiltonian",
    "free bits",
    "half precision",
    "decay",
)


@pytest.fixture(scope="module")
def splits():
    return load("digits")


@pytest.mark.parametrize("name", slow_except(FITTING, *FAST))
def test_parts_make_a_model(name, splits):
    config, vae = built(splits, **FITTING[name])
    x = RunData(config, splits).train(20).x
    with tf.device("CPU"):
        bound = vae.estimate(x.astype(vae.variable_dtype)).bound
    assert bound.shape == (20,)
    assert np.isfinite(bound).all()


@pytest.mark.parametrize("network", ["mlp", pytest.param("gyroplane_mlp", marks=pytest.mark.slow)])
def test_points_of_a_ball_are_not_rounded_in_half_precision(network, splits):
    ball = {"posterior": "poincare_normal", "prior": "poincare_normal", "network": network}
    _, vae = built(splits, **ball, precision="mixed_bfloat16")
    directions = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]], "float32")
    # The radii are equal in bfloat16, and half a unit of distance apart.
    one, other = (np.asarray(vae.decode(radius * directions).mean()) for radius in (0.9903, 0.9941))
    assert np.abs(one - other).max() > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("name", FITTING)
def test_parts_train_and_survive_a_file(name, splits, tmp_path):
    config, vae = built(splits, **FITTING[name])
    x = RunData(config, splits).train(200).x
    history = vae.fit(x, batch_size=100, epochs=2, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    vae.save(tmp_path / "model.keras")
    loaded = tfvae.load_model(tmp_path / "model.keras")
    one, other = (model.estimate(x[:5].astype(model.variable_dtype), seed=3).bound for model in (vae, loaded))
    np.testing.assert_array_equal(one, other)


def test_the_numbers_of_the_parts_arrive(splits):
    config, vae = built(splits, prior={"kind": "vamp", "num_components": 3}, estimator={"kind": "dreg"})
    assert isinstance(vae.estimator, tfvae.estimators.DReG)
    assert vae.estimator.num_importance_samples == 5
    assert isinstance(vae.optimizer, keras.optimizers.Adam)
    pseudo, train = vae.prior.pseudo_inputs().numpy(), RunData(config, splits).train().x
    assert all((each == train).all(axis=(1, 2, 3)).any() for each in pseudo), "they start at examples"
    assert config.model.prior["num_components"] == 3
    assert config.training.optimizer["beta_1"] == 0.9


def test_a_schedule_of_beta_is_a_callback(splits):
    config = config_of(splits, beta={"kind": "linear_warm_up", "num_epochs": 10})
    (callback,) = schedule_callbacks(config.training.beta)
    assert callback.schedule.num_epochs == 10
    assert schedule_callbacks(2.0) == []


@pytest.mark.parametrize(
    ("likelihood", "words"),
    [
        ("discretized_logistic", "The data are 17 levels. log p(x) is a log-probability of levels."),
        ("bernoulli", "thresholded at one half"),
        ("laplace", "uniform noise with the width of one level"),
    ],
)
def test_the_report_says_what_the_numbers_are(likelihood, words, splits):
    assert words in _note(config_of(splits, likelihood=likelihood), splits.test)


def test_a_schedule_cannot_become_a_number_on_the_way(splits, tmp_path):
    folder = RunFolder(tmp_path / "run")
    config = config_of(splits, beta={"kind": "constant", "value": 2.0})
    folder.claim(config.to_toml())
    number = dataclasses.replace(config, training=dataclasses.replace(config.training, beta=1.0))
    with pytest.raises(
        ValueError, match=r"training\.beta of a run can be changed from a number to another number only"
    ):
        resume_from(folder, number, None, TrainingState(), ())


MIXTURE = {"kind": "mixture", "num_components": 2}
COSINE = {"kind": "cosine_decay", "initial_learning_rate": 0.1, "decay_steps": 10}
COUNTS = make_splits("own", {"train": np.arange(40.0).reshape(20, 2) // 10}, {}, "own.npy")
TABLE = make_splits("own", {"train": np.random.default_rng(0).normal(size=(40, 3))}, {}, "own.npy")


@pytest.mark.parametrize(
    ("settings", "data", "message"),
    [
        (
            {"posterior": "von_mises_fisher"},
            None,
            "model.prior must be spherical_uniform or vamp with",
        ),
        ({"prior": "spherical_uniform"}, None, "model.prior must be conditional, flow, .* with the posterior diag"),
        (
            {"posterior": "poincare_normal"},
            None,
            "prior must be poincare_normal, riemannian_normal, vamp with the po",
        ),
        ({"prior": "poincare_normal"}, None, "model.prior must be conditional, flow, .* with the posterior diag"),
        (
            {"posterior": {"kind": "poincare_normal", "curvature": 0.5}, "prior": "riemannian_normal"},
            None,
            "model.prior.curvature must be that of .*prior.curvature=1.0 with model.posterior.curvature=0.5",
        ),
        (
            {"posterior": "riemannian_normal", "prior": {"kind": "riemannian_normal", "scale": 9.0}},
            None,
            "model.prior.scale must be at most 2.3.* in float32, .*Received: model.prior.scale=9",
        ),
        (
            {"network": "gyroplane_mlp"},
            None,
            "model.network must be another than gyroplane_mlp with this posterior: .*posterior='diag'",
        ),
        (
            {"posterior": {"kind": "poincare_normal", "curvature": -1}, "prior": "poincare_normal"},
            None,
            "model.posterior.curvature must be a number above 0. Received: model.posterior.curvature=-1",
        ),
        ({"posterior": "gamma_sticks"}, None, "model.prior must be stick_breaking or vamp with the posterior g"),
        (
            {"posterior": {"kind": "mixture_normal", "num_components": 2}},
            None,
            "training.estimator must be .*score_function, vimco.* with the posterior mixture_normal",
        ),
        ({"likelihood": "poisson"}, None, "model.likelihood = 'poisson' needs whole numbers, but integer data are sca"),
        ({"likelihood": "poisson"}, TABLE, "model.likelihood = 'poisson' needs whole .*These fit: .* normal.*Received"),
        ({"likelihood": "continuous_bernoulli"}, TABLE, r"needs values in \[0, 1\]"),
        (
            {"likelihood": {"kind": "categorical", "num_classes": 3}},
            COUNTS,
            "whole numbers of .* at most 2",
        ),
        ({"likelihood": {"kind": "beta_binomial", "total_count": 2}}, COUNTS, "of at least 0 and at most 2"),
        ({"likelihood": "one_hot_categorical"}, TABLE, "needs vectors with a single 1"),
        ({"likelihood": "von_mises_fisher"}, TABLE, "needs vectors of length 1"),
        ({"likelihood": "tril"}, None, "model.likelihood = 'tril' needs vectors"),
        ({"likelihood": "discretized_logistic"}, TABLE, "model.likelihood = 'discretized_logistic' needs data with"),
        ({"likelihood": {"kind": "discretized_logistic", "num_bins": 4}}, None, "likelihood.num_bins must be 17, the"),
        ({"likelihood": "bernoulli"}, TABLE, r"values in \[0, 1\]"),
        ({"prior": {"kind": "mixture", "num_components": 2}, "kl": "analytic"}, None, "training.kl must be auto or mo"),
        (
            {"posterior": "laplace", "kl": "analytic"},
            None,
            "training.kl must be auto or .*posterior='laplace'",
        ),
        ({"estimator": "vimco", "num_samples": 5}, None, "training.num_samples has no effect: the estimator vimco"),
        (
            {"posterior": "von_mises_fisher", "prior": "spherical_uniform", "estimator": "hamiltonian"},
            None,
            "must be another than hamiltonian with the posterior von_mises_fisher",
        ),
        (
            {"posterior": "poincare_normal", "prior": "poincare_normal", "estimator": "hamiltonian"},
            None,
            "must be another than hamiltonian with the posterior poincare_normal",
        ),
        (
            {"estimator": {"kind": "hamiltonian", "num_steps": 0}},
            None,
            "estimator.num_steps must be an integer of at l",
        ),
        ({"estimator": {"kind": "hamiltonian", "tempering": "slow"}}, None, "tempering must be one of fixed, free, no"),
        ({"estimator": {"kind": "iwae", "kl": "analytic"}}, None, "training.estimator.kl is not .*sgvb"),
        (
            {"estimator": "iwae", "beta": {"kind": "free_bits", "nats": 1}},
            None,
            "training.beta must be a number or",
        ),
        (
            {"estimator": "score_function", "prior": MIXTURE, "beta": {"kind": "free_bits", "nats": 1}},
            None,
            "need sgvb.",
        ),
        ({"beta": "linear_warm_up"}, None, "training.beta cannot be made: .*num_epochs"),
        ({"beta": {"kind": "linear_warm_up", "num_epochs": 1, "end": -1}}, None, "training.beta.end must be .* at lea"),
        ({"network": {"kind": "mlp", "filters": [3]}}, None, "model.network.filters is not .*conv, resnet"),
        ({"learning_rate": {"decay_steps": 3}}, None, "training.learning_rate needs a `kind`"),
        (
            {"callbacks": ["reduce_lr_on_plateau"], "learning_rate": COSINE},
            None,
            "training.learning_rate must be a number with the callback reduce_lr_on_plateau",
        ),
        ({"keep_best": True}, TABLE, "training.keep_best needs validation data"),
    ],
)
def test_what_does_not_fit_is_one_error_that_says_what_does(settings, data, message, splits):
    with pytest.raises(ValueError, match=message):
        config_of(data or splits, **settings)


def test_callbacks_remember_after_a_file(tmp_path):
    stopping = {"kind": "early_stopping", "monitor": "val_elbo", "mode": "max", "patience": 2}
    plateau = {"kind": "reduce_lr_on_plateau", "monitor": "val_elbo", "mode": "max", "patience": 1, "factor": 0.5}
    config = RunConfig.from_dict({"training": {"callbacks": [stopping, plateau]}}).training
    model = tfvae.models.VAE(
        keras.Sequential([keras.Input((2,)), keras.layers.Dense(2), tfvae.layers.MultivariateNormalDiag(1)]),
        keras.Sequential([keras.layers.Dense(2), tfvae.layers.IndependentBernoulli((2,))]),
    )
    model.compile(keras.optimizers.Adam(0.01))

    def started(states):
        callbacks = make_callbacks(config)
        for callback in (*callbacks, RestoredCallbacks(callbacks, states)):
            callback.set_model(model)
            callback.on_train_begin()
        model.stop_training = False
        return callbacks

    def see(callbacks, epoch, elbo):
        for callback in callbacks:
            callback.on_epoch_end(epoch, {"val_elbo": elbo})
        return states_of(callbacks), model.stop_training

    whole = started(())
    path = tmp_path / "checkpoint.keras"
    for epoch, elbo in enumerate((-5.0, -4.0, -4.5)):
        state, has_ended = see(whole, epoch, elbo)
    assert (state[0]["best"], state[0]["wait"], has_ended) == (-4.0, 1, False)
    TrainingState(epochs=3, callbacks=state).add_to(path)
    resumed = started(TrainingState.read(path).callbacks)
    assert see(resumed, 3, -4.2) == see(whole, 3, -4.2)
    assert model.stop_training, "the third epoch without a better one"


def test_callbacks_that_wait_for_beta_remember_what_was_before(splits):
    (plateau,) = make_callbacks(config_of(splits, callbacks=[{"kind": "reduce_lr_on_plateau"}]).training)
    plateau.best, plateau.wait = -4.0, 1
    epoch = WaitingEpoch(plateau)
    plateau.wait += 1
    assert np.isnan(plateau.best), "nothing is better"
    (state,) = states_of([plateau])
    assert (state["best"], state["wait"]) == (-4.0, 1)
    epoch.end()
    assert states_of([plateau]) == (state,)


def test_levels_are_those_of_the_data(splits):
    likelihood = {"kind": "discretized_logistic_mixture", "num_components": 5}
    assert config_of(splits, likelihood=likelihood).model.likelihood == {**likelihood, "num_bins": 17}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"likelihood": {"kind": "generic", "distribution_class": "Gamma"}},
            "model.likelihood must have a finite",
        ),
        (
            {"prior": {"kind": "vamp", "num_components": 99}},
            "model.prior.num_components must be at most .*40",
        ),
    ],
)
def test_what_the_model_shows_is_refused_before_training(settings, message):
    with pytest.raises(ValueError, match=message):
        built(TABLE, **settings)
