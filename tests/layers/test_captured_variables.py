"""Variables that a function reads although no layer owns them train and are saved, or are refused."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfvae
from tfvae.layers import (
    DistributionLambda,
    GenericDistribution,
    IndependentNormal,
    KLDivergenceAddLoss,
    KLDivergenceRegularizer,
    MixtureSameFamily,
    MultivariateNormalDiag,
)

tfb, tfd = tfp.bijectors, tfp.distributions

X = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")


def model_of(*layers):
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(1), *layers])


def moved(model, values, **kwargs):
    """Whether one step of training moves each of the values."""
    before = [np.array(value()) for value in values]
    model.compile("sgd", loss=lambda y, rv: -rv.log_prob(y), **kwargs)
    model.fit(X, X[:, :1] + 3.0, verbose=0)
    return [not np.allclose(old, value()) for old, value in zip(before, values, strict=True)]


def test_every_kind_of_variable_trains():
    scale = tfp.util.TransformedVariable(1.0, tfb.Softplus())
    plain, of_keras = tf.Variable(0.5), keras.Variable(0.25)
    constant = tf.Variable(2.0, trainable=False)
    dense = keras.layers.Dense(1)
    layer = DistributionLambda(lambda t: tfd.Normal(constant * t + plain * of_keras + dense(t), scale))
    model = model_of(layer)
    assert len(model.trainable_variables) == 2 + 2 + 3
    values = [scale.pretransformed_input.numpy, plain.numpy, of_keras.numpy, dense.kernel.numpy]
    assert moved(model, values, run_eagerly=True) == [True] * 4
    assert constant.numpy() == 2.0


def test_layer_that_the_model_holds_too_is_counted_once():
    dense = keras.layers.Dense(1)
    inputs = keras.Input((3,))
    hidden = dense(inputs)
    model = keras.Model(inputs, DistributionLambda(lambda t: tfd.Normal(dense(t), 1.0))(inputs) + hidden)
    assert len(model.trainable_variables) == 2

    class Held(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(1)
            self.out = DistributionLambda(lambda t: tfd.Normal(self.dense(t), 1.0))

        def call(self, inputs):
            return self.out(inputs)

    model = Held()
    model(X)
    assert len(model.trainable_variables) == 2


def test_two_layers_that_read_one_variable_share_its_weight():
    variable = tf.Variable(1.0)
    one, two = (model_of(DistributionLambda(lambda t: tfd.Normal(t, tf.nn.softplus(variable)))) for _ in range(2))
    assert one.trainable_variables[-1] is two.trainable_variables[-1]
    one.trainable_variables[-1].assign(3.0)
    assert variable.numpy() == 3.0


def test_subclassed_model_built_in_fit_trains_a_variable():
    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense, self.variable = keras.layers.Dense(1), tf.Variable(1.0)
            self.out = DistributionLambda(lambda t: tfd.Normal(t, tf.nn.softplus(self.variable)))

        def call(self, inputs):
            return self.out(self.dense(inputs))

    model = Model()
    assert moved(model, [model.variable.numpy], jit_compile=False) == [True]


def test_other_functions_that_a_layer_is_given():
    variable = tf.Variable(1.0)
    conversion = IndependentNormal(1, lambda q: q.mean() * variable)
    assert len(keras.Sequential([keras.Input((2,)), conversion]).trainable_variables) == 1
    mixture = MixtureSameFamily(2, lambda t: tfd.Normal(t[..., 0], tf.nn.softplus(variable)))
    assert len(keras.Sequential([keras.Input((4,)), mixture]).trainable_variables) == 1
    component = DistributionLambda(lambda t: tfd.Normal(t[..., 0], tf.nn.softplus(variable)))
    mixture = MixtureSameFamily(2, component)
    assert len(keras.Sequential([keras.Input((4,)), mixture]).trainable_variables) == 1
    with pytest.raises(ValueError, match="DistributionLambda"):
        GenericDistribution(tfd.StudentT, fixed={"df": tfp.util.TransformedVariable(3.0, tfb.Exp())})


def test_network_of_a_flow_trains():
    network = tfvae.networks.AutoregressiveNetwork(params=2, event_shape=(2,), hidden_units=[4])
    flow = tfb.MaskedAutoregressiveFlow(lambda x: tf.unstack(network(x), num=2, axis=-1))
    layer = DistributionLambda(lambda t: tfd.TransformedDistribution(tfd.MultivariateNormalDiag(t), flow))
    assert len(keras.Sequential([keras.Input((2,)), layer]).trainable_variables) == 4
    prior = tfd.TransformedDistribution(tfd.MultivariateNormalDiag(tf.zeros(2)), flow)
    with pytest.raises(ValueError, match="would not train"):
        KLDivergenceRegularizer(prior)
    with pytest.raises(ValueError, match="would not train"):
        tfvae.priors.Fixed(prior)


@pytest.mark.parametrize("as_layer", [False, True])
def test_prior_function_trains_its_layers(as_layer):
    dense = keras.layers.Dense(2)

    def prior():
        return tfd.MultivariateNormalDiag(dense(tf.ones([1, 1]))[0])

    layers = [keras.Input((4,)), MultivariateNormalDiag(2), KLDivergenceAddLoss(prior)]
    if not as_layer:
        layers = [keras.Input((4,)), MultivariateNormalDiag(2, activity_regularizer=KLDivergenceRegularizer(prior))]
    model = keras.Sequential(layers)
    assert [variable.name for variable in model.trainable_variables] == ["kernel", "bias"]


def test_variables_made_in_every_call_are_refused():
    layer = DistributionLambda(lambda t: tfd.Normal(keras.layers.Dense(1)(t), 1.0), name="head")
    with pytest.raises(ValueError, match=r"DistributionLambda 'head' creates variables each time"):
        layer(X)


SCALE = tf.Variable(0.5)
HEAD = keras.layers.Dense(1, name="head")


@keras.saving.register_keras_serializable(package="tests")
def with_a_layer_of_the_module(t):
    return tfd.Normal(HEAD(t), tf.nn.softplus(SCALE))


def test_values_are_saved_with_the_layer(tmp_path):
    model = model_of(DistributionLambda(with_a_layer_of_the_module))
    HEAD.kernel.assign([[3.0]])
    SCALE.assign(2.0)
    expected = model(X).log_prob(X[:, :1])
    model.save(tmp_path / "model.keras")
    HEAD.kernel.assign([[0.0]])
    SCALE.assign(0.0)
    loaded = tfvae.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(X).log_prob(X[:, :1]), expected)
    assert SCALE.numpy() == 2.0
