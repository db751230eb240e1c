"""Half precision inside the networks, float32 everywhere else: the same model, trained, evaluated, saved and served."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from slow import slow_except

import tfvae
from tfvae import estimators, layers, networks, priors
from tfvae._dtype_policy import dtype_policy
from tfvae.callbacks import NonFiniteLossError, StopOnNonFinite

SHAPE, D, N, BATCH_SIZE = (6, 5, 1), 3, 40, 8
STEPS = N // BATCH_SIZE
FIT = {"batch_size": BATCH_SIZE, "shuffle": False, "verbose": 0}
ROUNDING = {"mixed_float16": 2.0**-11, "mixed_bfloat16": 2.0**-8}

slow = pytest.mark.slow
kinds = pytest.mark.parametrize("kind", ["mlp", pytest.param("conv", marks=slow)])
one_policy_fast = pytest.mark.parametrize("policy", ["mixed_float16", pytest.param("mixed_bfloat16", marks=slow)])
XLA_SLOW = [False, pytest.param(True, marks=slow)]


def images(n=N):
    """Pixels of which some are bright and most are dark: something to learn."""
    rng = np.random.default_rng(n)
    return (rng.uniform(size=(n, *SHAPE)) < np.where(rng.uniform(size=SHAPE) < 0.3, 0.9, 0.05)).astype("float32")


def make_vae(kind, policy, *, posterior=lambda: layers.IndependentNormal((D,)), prior=None, **arguments):
    """A model of a policy that holds while it is made, and no longer."""
    with dtype_policy(policy):
        keras.utils.set_random_seed(1)
        likelihood, size = layers.IndependentBernoulli(SHAPE), 2 * D
        if kind == "mlp":
            encoder, decoder = networks.mlp(size, (7,)), networks.mlp(30, (8,))
        else:
            encoder, decoder = networks.conv_encoder(size, (4, 6)), networks.conv_decoder(SHAPE, 30, (6, 4))
        encoder = keras.Sequential([encoder, posterior()])
        return tfvae.models.VAE(
            encoder,
            keras.Sequential([decoder, likelihood]),
            prior=priors.StandardNormal(D) if prior is None else prior(encoder),
            **{name: make() if callable(make) else make for name, make in {"seed": 4, **arguments}.items()},
        )


def two_of(kind, policy):
    """A model in mixed precision and one in float32, with the same weights."""
    mixed, full = make_vae(kind, policy), make_vae(kind, "float32")
    full.set_weights(mixed.get_weights())
    return mixed, full


class EveryBatch(keras.callbacks.Callback):
    """Asks for single steps."""

    def on_train_batch_end(self, batch, logs=None):
        pass


# What is half precision, and what is not ---------------------------------------------------------------------------


@one_policy_fast
@kinds
def test_networks_compute_in_half_precision_and_everything_else_in_float32(kind, policy):
    vae, x = make_vae(kind, policy), images()
    half = tf.as_dtype(policy.removeprefix("mixed_"))
    assert vae.encoder.layers[0](x).dtype == half
    assert vae.decoder.layers[0](tf.zeros((2, D))).dtype == half
    posterior, likelihood = vae.encode(x), vae.decode(tf.zeros((2, 4, D)))
    numbers = [
        posterior.mean(),
        posterior.stddev(),
        posterior.sample(seed=0),
        likelihood.mean(),
        likelihood.log_prob(x[:4]),
    ]
    vae.compile(run_eagerly=True)
    numbers += [vae.elbo(x, seed=1), vae.sample(2), vae.reconstruct(x), vae(x).value, *tf.nest.flatten(vae.estimate(x))]
    assert {number.dtype for number in numbers} == {tf.float32}
    assert vae.predict(x, verbose=0).dtype == np.float32
    assert {v.dtype for v in vae.weights} - {"uint32", "int64"} == {"float32"}  # those are seeds
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(vae.estimate(x, training=True).surrogate_loss)
    assert {gradient.dtype for gradient in tape.gradient(loss, vae.trainable_variables)} == {tf.float32}


@one_policy_fast
@kinds
def test_bound_and_gradient_are_those_of_float32_to_the_rounding_of_half_precision(kind, policy):
    x, results = images(), []
    for vae in two_of(kind, policy):
        with tf.GradientTape() as tape:
            elbo = vae.estimate(x, seed=3).bound
            loss = -tf.reduce_mean(elbo)
        gradient = np.concatenate([np.ravel(g) for g in tape.gradient(loss, vae.trainable_variables)])
        results.append((elbo.numpy(), gradient))
    (mixed, mixed_gradient), (full, full_gradient) = results
    noise = np.std([vae.elbo(x, seed=seed).numpy().mean() for seed in range(8)])
    assert (mixed != full).any()
    np.testing.assert_allclose(mixed, full, rtol=ROUNDING[policy])
    assert abs(mixed.mean() - full.mean()) < noise  # of one draw an example
    error = np.linalg.norm(mixed_gradient - full_gradient) / np.linalg.norm(full_gradient)
    assert 0.0 < error < 16 * ROUNDING[policy]  # rounded at every layer, there and back


ESTIMATORS = {
    "importance weighted": lambda: estimators.ImportanceWeighted(3),
    "doubly reparameterised": lambda: estimators.DReG(3),
    "running mean": lambda: estimators.ScoreFunction(2, baseline=estimators.RunningMean()),
    "learned baseline": lambda: estimators.ScoreFunction(baseline=networks.mlp(1, (4,))),
    "wake-sleep": estimators.WakeSleep,
}
PRIORS = {
    "normal": lambda encoder: priors.Normal(D),
    "mixture": lambda encoder: priors.MixtureOfGaussians(D, 2, seed=0),
    "vamp": lambda encoder: priors.VampPrior(encoder, 2, SHAPE),
}
FAST = ("vamp",)
PARTS = {
    **{name: {"estimator": make} for name, make in ESTIMATORS.items()},
    **{name: {"prior": make} for name, make in PRIORS.items()},
}


@one_policy_fast
@pytest.mark.parametrize("name", [pytest.param(name, marks=() if name in FAST else slow) for name in PARTS])
def test_other_estimators_and_priors_too(name, policy):
    x = images()
    mixed, full = (make_vae("mlp", each, **PARTS[name]) for each in (policy, "float32"))
    full.set_weights(mixed.get_weights())
    one, other = (vae.estimate(x, seed=3) for vae in (mixed, full))
    for field in ("bound", "log_likelihood", "kl"):
        assert getattr(one, field).dtype == tf.float32
        np.testing.assert_allclose(getattr(one, field), getattr(other, field), rtol=4 * ROUNDING[policy], atol=0.02)
    assert one.surrogate_loss.dtype == tf.float32


def test_a_running_mean_beyond_the_range_of_half_precision():
    baseline = estimators.RunningMean(0.5, dtype="mixed_float16")
    for signal in (-200_000.0, -100_001.0):
        baseline.update(tf.constant([signal, signal - 2.0]))
    np.testing.assert_allclose(baseline(np.zeros((3, 2))), [-(200_001 / 3 + 100_002 * 2 / 3)] * 3, rtol=1e-6)


# Training ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "policy", "jit_compile"),
    slow_except(itertools.product(["mlp", "conv"], ROUNDING, [False, True]), ("mlp", "mixed_bfloat16", False)),
)
def test_fit_learns_as_float32_does(kind, policy, jit_compile):
    x, elbos = images(), []
    for vae in two_of(kind, policy):
        vae.compile(keras.optimizers.Adam(0.02), jit_compile=jit_compile)
        is_scaled = isinstance(vae.optimizer, keras.optimizers.LossScaleOptimizer)
        assert is_scaled == (vae.compute_dtype == "float16")
        before = vae.elbo(x, seed=0, num_samples=4).numpy().mean()
        history = vae.fit(x, epochs=12, callbacks=[StopOnNonFinite()], **FIT).history
        assert vae.execution.num_steps > 1
        assert np.isfinite(list(history.values())).all()
        after = vae.elbo(x, seed=0, num_samples=4).numpy()
        elbos.append(after.mean())
        assert elbos[-1] > before + 5.0
    assert abs(elbos[0] - elbos[1]) < 5 * after.std() / np.sqrt(N)


def with_loss_scaling(jit_compile, inner=None, **scaling):
    vae = make_vae("mlp", "mixed_float16")
    optimizer = keras.optimizers.LossScaleOptimizer(inner or keras.optimizers.Adam(0.01), **scaling)
    vae.compile(optimizer, jit_compile=jit_compile)
    assert vae.optimizer is optimizer  # not wrapped once more
    return vae


@pytest.mark.parametrize("jit_compile", XLA_SLOW)
def test_steps_whose_gradient_overflows_are_left_out_and_are_no_nan(jit_compile):
    vae = with_loss_scaling(jit_compile, initial_scale=2.0**50)
    elbo = np.mean(vae.elbo(images(), seed=0))
    before = vae.get_weights()
    callback = StopOnNonFinite()
    history = vae.fit(images(), callbacks=[callback], **FIT).history
    assert vae.execution.num_made == STEPS
    assert vae.execution.first_non_finite is None
    assert int(vae.optimizer.iterations) == 0
    assert float(vae.optimizer.dynamic_scale) == 2.0 ** (50 - STEPS)
    for a, b in zip(vae.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)
    # Of the same weights, with another draw.
    np.testing.assert_allclose(history["elbo"][0], elbo, atol=1.0)


@pytest.mark.parametrize("jit_compile", XLA_SLOW)
@pytest.mark.slow
def test_the_scale_grows_when_nothing_overflows(jit_compile):
    vae = with_loss_scaling(jit_compile, initial_scale=2.0, dynamic_growth_steps=2)
    vae.fit(images(), epochs=2, **FIT)
    assert int(vae.optimizer.iterations) == 2 * STEPS
    assert float(vae.optimizer.dynamic_scale) == 2.0 * 2.0**STEPS


@pytest.mark.slow
def test_many_steps_a_call_scale_and_leave_out_as_single_steps_do():
    runs = []
    for callbacks in ([], [EveryBatch()]):
        vae = with_loss_scaling(False, keras.optimizers.SGD(0.05), initial_scale=2.0**28, dynamic_growth_steps=4)
        history = vae.fit(images(), epochs=6, callbacks=callbacks, **FIT).history
        optimizer = vae.optimizer
        counts = [int(optimizer.iterations), float(optimizer.dynamic_scale), int(optimizer.step_counter)]
        runs.append((vae.execution.num_steps, counts, history, vae.get_weights()))
    (several, counts, history, weights), (one, other_counts, other_history, other_weights) = runs
    assert (several > 1, one) == (True, 1)
    assert 0 < counts[0] < 6 * STEPS  # some were left out, and some not
    assert counts == other_counts
    for key, values in history.items():
        np.testing.assert_allclose(other_history[key], values, rtol=1e-5)
    for a, b in zip(other_weights, weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("jit_compile", XLA_SLOW)
def test_a_loss_that_is_not_finite_is_told_from_a_step_left_out(jit_compile):
    """What overflows on the way forward ends the run, and the weights are as they were."""
    vae = with_loss_scaling(jit_compile, initial_scale=2.0**50)  # so that every step is left out
    bias = vae.encoder.layers[0].layers[-1].bias
    bias.assign([1e5, *np.zeros(2 * D - 1)])  # beyond 65,504
    before = vae.get_weights()
    with pytest.raises(NonFiniteLossError, match=r"in epoch 1, at step 1\. Expected finite") as caught:
        vae.fit(images(), callbacks=[StopOnNonFinite()], **FIT)
    assert (caught.value.step, caught.value.total_step) == (1, None)
    for a, b in zip(vae.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)
    full = make_vae("mlp", "float32")
    full.set_weights(before)
    assert np.isfinite(full.elbo(images(), seed=0)).all()


@pytest.mark.filterwarnings("ignore:`shuffle=True` was passed", "ignore:Your input ran out of data")
@pytest.mark.slow
def test_with_a_generator_too_the_scale_is_a_variable_from_the_first_step():
    def batches():
        return ((x,) for x in images().reshape(STEPS, BATCH_SIZE, *SHAPE))

    vae = with_loss_scaling(False, keras.optimizers.SGD(0.1), initial_scale=2.0**50)
    vae.fit(batches(), verbose=0)
    program = vae.train_function
    assert float(vae.optimizer.dynamic_scale) == 2.0 ** (50 - STEPS)
    vae.optimizer.dynamic_scale.assign(8.0)
    full = make_vae("mlp", "float32")
    full.set_weights(vae.get_weights())
    full.seed_generator.state.assign(vae.seed_generator.state)
    full.compile(keras.optimizers.SGD(0.1), jit_compile=False)
    for each in (vae, full):
        each.fit(batches(), verbose=0)
    assert vae.train_function is program
    # The first scale, a constant in the program, would make the steps 2**47 times too long.
    for a, b in zip(vae.trainable_variables, full.trainable_variables, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-3)


# Evaluation and files ----------------------------------------------------------------------------------------------


@one_policy_fast
@kinds
@pytest.mark.slow
def test_evaluation_agrees_with_float32(kind, policy):
    x, results = images(), []
    for vae in two_of(kind, policy):
        vae.compile("adam", jit_compile=False)
        results.append(
            {
                **vae.evaluate(x, batch_size=BATCH_SIZE, verbose=0, return_dict=True),
                "elbo of evaluation": tfvae.evaluation.elbo(vae, x, num_samples=3, seed=1).mean,
                "log_marginal": tfvae.evaluation.log_marginal(vae, x, num_importance_samples=20, seed=1).mean,
            }
        )
    mixed, full = results
    for name, value in full.items():
        np.testing.assert_allclose(mixed[name], value, rtol=ROUNDING[policy], atol=0.02, err_msg=name)


@one_policy_fast
@pytest.mark.slow
def test_the_file_keeps_policy_and_scale_and_training_goes_on(policy, tmp_path):
    x, vae = images(), make_vae("mlp", policy)
    optimizer = keras.optimizers.Adam(0.01)
    if policy == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=2.0**28, dynamic_growth_steps=3)
    vae.compile(optimizer, jit_compile=False)
    vae.fit(x, epochs=3, **FIT)
    vae.save(tmp_path / "vae.keras")
    loaded = tfvae.load_model(tmp_path / "vae.keras")  # while the policy is float32
    assert loaded.dtype_policy.name == loaded.encoder.layers[0].layers[1].dtype_policy.name == policy
    np.testing.assert_array_equal(loaded.elbo(x, seed=1), vae.elbo(x, seed=1))
    if policy == "mixed_float16":
        assert type(loaded.optimizer.inner_optimizer) is keras.optimizers.Adam
        for name in ("dynamic_scale", "step_counter"):
            value = getattr(loaded.optimizer, name).numpy()
            assert value == getattr(vae.optimizer, name).numpy()
        assert loaded.optimizer.dynamic_scale.numpy() != 2.0**28
    histories = [each.fit(x, **FIT).history for each in (vae, loaded)]
    assert histories[0] == histories[1]
    for a, b in zip(vae.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@one_policy_fast
@kinds
@pytest.mark.slow
def test_the_saved_model_answers_in_float32_what_the_model_does(kind, policy, tmp_path):
    vae = make_vae(kind, policy, posterior=lambda: layers.MultivariateNormalDiag(D))
    x, seed = images(7), tf.constant([0, 5])
    served = tf.saved_model.load(str(tfvae.export.save(vae, tmp_path / "served"))).signatures
    encoded = served["encode"](x=tf.constant(x), seed=seed)
    decoded = served["decode"](z=encoded["z"], seed=seed)
    bound = served["elbo"](x=tf.constant(x), num_samples=tf.constant(2), seed=seed)
    assert {value.dtype for answer in (encoded, decoded, bound) for value in answer.values()} == {tf.float32}
    posterior = vae.encode(x)
    close = {"rtol": 2 * ROUNDING[policy], "atol": 2 * ROUNDING[policy]}  # a graph rounds elsewhere
    np.testing.assert_allclose(encoded["loc"], posterior.mean(), **close)
    np.testing.assert_allclose(encoded["z"], posterior.sample(seed=seed), **close)
    np.testing.assert_allclose(decoded["mean"], vae.decode(encoded["z"]).mean(), **close)
    np.testing.assert_allclose(bound["kl"], vae.estimate(x).kl, rtol=4 * ROUNDING[policy])
