"""Training steps of several updates: who is trained by whom, and what is saved of it."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from small_models import small_vae

import tfvae
from tfvae.models import Bound, Loss, Update
from tfvae.models.batch import Batch, as_batch
from tfvae.models.optimizer_group import OptimizerGroup

X = (np.random.default_rng(0).uniform(size=(20, 4, 2)) < 0.4).astype("float32")


@keras.saving.register_keras_serializable("test_objective")
class WakeSleep:
    """Wake, then sleep: the dreams are those of the decoder that the wake phase has moved."""

    layers = ()
    metric_names = ("log_likelihood",)

    def build(self, x_shape, latent_shape):
        pass

    def variables(self, model):
        return {"wake": model.decoder.trainable_variables, "sleep": model.encoder.trainable_variables}

    def updates(self, model, batch, *, training, seed):
        def wake():
            log_likelihood = model.generate(model.infer(batch.x).mean()).log_prob(batch.x)
            return Loss(-log_likelihood, {"log_likelihood": log_likelihood})

        def sleep():
            z = tf.random.stateless_normal([8, 2], seed)
            dreams = tf.stop_gradient(model.generate(z).mean())
            return Loss(-model.infer(dreams).log_prob(z))

        return [Update("wake", wake), Update("sleep", sleep)]

    def get_config(self):
        return {}


def two_phases(run_eagerly=False, **optimizer):
    vae = small_vae(objective=WakeSleep())
    optimizers = {"wake": keras.optimizers.SGD(0.01, **optimizer), "sleep": keras.optimizers.SGD(0.003)}
    vae.compile(optimizers, jit_compile=False, run_eagerly=run_eagerly)  # XLA draws other normal numbers
    return vae


@pytest.fixture(scope="module")
def trained():
    vae = two_phases()
    history = vae.fit(X[:8], batch_size=8, epochs=2, shuffle=False, verbose=0).history
    return vae, history


def test_each_update_sees_what_the_one_before_has_done(trained):
    """Against the same steps by hand."""
    vae, history = trained
    other, losses = small_vae(objective=WakeSleep()), []
    for _ in range(2):
        updates = other.objective.updates(other, Batch(tf.constant(X[:8])), training=True, seed=other.next_seed())
        for update, rate in zip(updates, (0.01, 0.003), strict=True):
            variables = other.objective.variables(other)[update.name]
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(update.loss().values)
            losses.append(float(loss))
            for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
                variable.assign_sub(rate * gradient)
    for mine, expected in zip(vae.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(mine, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(history["loss"], losses[::2], rtol=1e-5)
    np.testing.assert_allclose(history["sleep_loss"], losses[1::2], rtol=1e-5)
    np.testing.assert_allclose(history["log_likelihood"], -np.array(losses[::2]), rtol=1e-5)
    assert vae.num_updates == 2
    assert [int(optimizer.iterations) for optimizer in vae.optimizer] == [2, 2]


def test_learning_rates_of_all(trained):
    vae, _ = trained
    vae.scale_learning_rate(0.5)
    np.testing.assert_allclose([float(optimizer.learning_rate) for optimizer in vae.optimizer], [0.005, 0.0015])
    vae.learning_rate = 0.1
    assert vae.learning_rate == pytest.approx(0.1)


def test_evaluation_moves_nothing():
    vae = two_phases(run_eagerly=True)
    before = [value.copy() for value in vae.get_weights()[:-1]]
    found = vae.evaluate(X[:8], verbose=0, return_dict=True)
    assert {"loss", "sleep_loss", "log_likelihood"} == set(found)
    for a, b in zip(before, vae.get_weights()[:-1], strict=True):
        np.testing.assert_array_equal(a, b)


def test_moving_averages_are_those_of_the_optimizer_that_keeps_them():
    vae, plain = two_phases(True, use_ema=True, ema_momentum=0.5), two_phases(True)
    for each in (vae, plain):
        each.fit(X[:8], batch_size=8, epochs=2, shuffle=False, verbose=0)
    (wake, _) = vae.optimizer
    averages = wake._model_variables_moving_average
    for variable, average in zip(vae.decoder.trainable_variables, averages, strict=True):
        np.testing.assert_array_equal(variable, average)
    assert np.any(vae.decoder.trainable_variables[0] != plain.decoder.trainable_variables[0])
    for mine, last in zip(vae.encoder.trainable_variables, plain.encoder.trainable_variables, strict=True):
        np.testing.assert_array_equal(mine, last)


def test_every_member_scales_its_loss():
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        vae = small_vae(objective=WakeSleep())
        vae.compile("sgd", run_eagerly=True)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert isinstance(vae.optimizer, OptimizerGroup)
    assert [type(optimizer) for optimizer in vae.optimizer] == [keras.optimizers.LossScaleOptimizer] * 2
    vae.fit(X[:8], batch_size=8, verbose=0)
    assert all(np.isfinite(value).all() for value in vae.get_weights())


@pytest.mark.parametrize("names", [{"wake": "sgd"}, {"wake": "sgd", "sleep": "sgd", "dream": "sgd"}])
def test_optimizers_of_other_names_are_one_error(names):
    with pytest.raises(ValueError, match=r"one optimizer for each update .*Expected names: \['sleep', 'wake'\]"):
        small_vae(objective=WakeSleep()).compile(names)


def test_terms_count_as_sample_weights_say():
    class Entropy(tfvae.estimators.SGVB):
        def __call__(self, problem, *, beta=1.0, seed=None):
            found = super().__call__(problem, beta=beta, seed=seed)
            return found._replace(terms={"entropy": problem.posterior.entropy()})

    vae, x, weights = small_vae(estimator=Entropy()), X[:12], np.linspace(0.5, 2.0, 12)
    vae.compile("sgd", run_eagerly=True)
    expected = np.average(vae.encode(x).entropy(), weights=weights)
    found = vae.evaluate(x, sample_weight=weights, batch_size=8, verbose=0, return_dict=True)
    np.testing.assert_allclose(found["entropy"], expected, rtol=1e-5)


def test_regularisers_count_with_the_variables_that_they_are_of():
    vae = small_vae()
    dense = vae.decoder.layers[0]
    dense.kernel.regularizer = keras.regularizers.L2(0.5)
    values, term = tf.ones([3]), 0.5 * np.sum(np.square(dense.kernel))
    for variables, expected in ((None, term), (vae.decoder.trainable_variables, term), ([dense.bias], 0.0)):
        np.testing.assert_allclose(vae.loss_of(values, None, variables), 1.0 + expected, rtol=1e-6)


def test_a_batch_is_made_in_one_place():
    x, y, w = tf.constant(X[:3]), tf.constant([1, -1, 2]), tf.ones([3])
    condition, observed = tf.zeros([3, 2]), tf.ones_like(x, tf.bool)
    whole = as_batch(({"x": x, "condition": condition, "label": y, "observed": observed}, None, w))
    for mine, expected in zip(whole, (x, condition, y, observed, w), strict=True):
        assert mine is expected
    assert as_batch((x, y)).labels is y
    assert as_batch((x, x)).labels is x  # numbers, or targets of an autoencoder, which other estimators ignore
    assert as_batch((x, np.array(["a", "b"]))).labels is None
    assert as_batch(x) == Batch(x)


def test_bound_is_the_objective_of_every_vae():
    vae = small_vae()
    assert isinstance(vae.objective, Bound)
    assert vae.network_variables == vae.trainable_variables
    assert "objective" not in vae.get_config()
