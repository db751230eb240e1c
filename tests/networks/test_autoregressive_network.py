"""The masked network: what each output may depend on, and TFP's numbers when its weights are copied."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from slow import slow_except

from tfvae.networks import AutoregressiveNetwork

D, P, C = 5, 3, 4
PLACES = (3, 1, 5, 2, 4)
HIDDEN = [7, 9]


def some(*shape, dtype="float32", seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def made(**kwargs):
    """A network with no weight at zero, those that the mask hides included."""
    arguments = {"params": P, "event_shape": D, "hidden_units": HIDDEN, "activation": "tanh", "dtype": "float64"}
    network = AutoregressiveNetwork(**{**arguments, **kwargs})
    condition = {"conditional_input": np.zeros((1, C))} if network.conditional else {}
    network(np.zeros((1, D)), **condition)
    for i, weight in enumerate(network.weights):
        weight.assign(some(*weight.shape, seed=i))
    return network


def jacobian(network, x, **kwargs):
    """d output[..., i, p] / d x[..., j], `[..., D, P, D]`; each example has its own."""
    x = tf.constant(x)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        outputs = tf.unstack(tf.reshape(network(x, **kwargs), [*x.shape[:-1], D * P]), axis=-1)
    return np.stack([tape.gradient(output, x) for output in outputs], axis=-2).reshape(*x.shape[:-1], D, P, D)


def depends(network, **kwargs):
    """`[i, j]`: whether an output of element i moves with x_j, at any of three points."""
    return np.any(np.abs(jacobian(network, some(3, D, dtype="float64"), **kwargs)) > 0.0, axis=(0, 2))


# What may depend on what --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hidden_units", [None, [7], [7, 9], [40]])
@pytest.mark.parametrize(
    ("input_order", "places"),
    [
        ("left-to-right", np.arange(1, D + 1)),
        ("right-to-left", np.arange(D, 0, -1)),
        (PLACES, np.array(PLACES)),
    ],
)
def test_outputs_depend_on_all_that_come_before_and_on_nothing_else(input_order, places, hidden_units):
    network = made(input_order=input_order, hidden_units=hidden_units)
    np.testing.assert_array_equal(depends(network), places[None, :] < places[:, None])


@pytest.mark.parametrize("seed", range(5))
def test_random_order_and_degrees_are_autoregressive_and_come_from_the_seed(seed):
    network = made(input_order="random", hidden_units=[60, 60], hidden_degrees="random", seed=seed)
    before = depends(network)
    places = before.sum(axis=1) + 1  # how many come before each
    assert sorted(places) == list(range(1, D + 1))
    np.testing.assert_array_equal(before, places[None, :] < places[:, None])
    again = made(input_order="random", hidden_units=[60, 60], hidden_degrees="random", seed=seed)
    np.testing.assert_array_equal(again(some(2, D)), network(some(2, D)))


def test_random_orders_differ():
    networks = [made(input_order="random", hidden_units=None, seed=seed) for seed in range(4)]
    assert len({tuple(depends(network).sum(axis=1)) for network in networks}) > 1


def test_random_order_without_a_seed_follows_the_global_seed_and_survives_its_config():
    keras.utils.set_random_seed(3)
    first = made(input_order="random")
    keras.utils.set_random_seed(3)
    np.testing.assert_array_equal(made(input_order="random")(some(2, D)), first(some(2, D)))
    again = AutoregressiveNetwork.from_config(json.loads(json.dumps(first.get_config())))
    again.build((None, D))
    again.set_weights(first.get_weights())
    np.testing.assert_array_equal(again(some(2, D)), first(some(2, D)))


def test_hidden_degrees_use_every_place():
    """Every path from an earlier element is there: with as many units as places, one unit for each of 1..D-1."""
    network = made(hidden_units=[D - 1])
    first = jacobian(network, some(D, dtype="float64"))
    assert np.all(np.abs(first)[np.tril_indices(D, -1)[0], :, np.tril_indices(D, -1)[1]] > 0)


@pytest.mark.parametrize("layers", ["all_layers", "first_layer"])
@pytest.mark.parametrize("input_order", ["left-to-right", PLACES])
def test_every_output_may_depend_on_the_condition(layers, input_order):
    network = made(
        conditional=True, conditional_event_shape=(C,), conditional_input_layers=layers, input_order=input_order
    )
    assert len(network.conditional_kernels) == (3 if layers == "all_layers" else 1)
    condition, x = tf.constant(some(C, dtype="float64", seed=5)), some(D, dtype="float64")
    places = np.arange(1, D + 1) if isinstance(input_order, str) else np.array(input_order)
    before = depends(network, conditional_input=condition)
    np.testing.assert_array_equal(before, places[None, :] < places[:, None])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(condition)
        elements = tf.unstack(network(x, conditional_input=condition))
    moved = [np.any(np.abs(tape.gradient(element, condition)) > 0) for element in elements]
    # The first element hears no hidden unit; only a condition added to the output layer reaches it.
    np.testing.assert_array_equal(moved, (places > 1) | (layers == "all_layers"))


def test_condition_broadcasts_against_x():
    network = made(conditional=True, conditional_event_shape=C)
    x, condition = some(2, 1, D), some(6, C)
    together = network(x, conditional_input=condition)
    assert together.shape == (2, 6, D, P)
    np.testing.assert_allclose(together[1, 4], network(x[1, 0], conditional_input=condition[4]), rtol=1e-12)


def test_the_order_holds_after_training_with_regularisers_and_constraints():
    network = made(
        dtype="float32", kernel_regularizer="l1", kernel_constraint="unit_norm", bias_regularizer="l2", activation="elu"
    )
    model = keras.Sequential([keras.Input((D,)), network])
    model.compile(keras.optimizers.AdamW(0.1, weight_decay=0.1), "mse", run_eagerly=True)
    before = network.kernels[1].numpy()
    model.fit(some(32, D), some(32, D, P), epochs=3, verbose=0)
    assert np.all(network.kernels[1].numpy() != before), "the weight decay moves even what the mask hides"
    found = np.any(np.abs(jacobian(network, some(D))) > 0, axis=1)
    np.testing.assert_array_equal(found, np.tri(D, k=-1, dtype=bool))


def test_regularisers_count_only_what_the_mask_shows():
    network = AutoregressiveNetwork(P, D, hidden_units=[7], kernel_regularizer=keras.regularizers.L1(2.0))
    network(some(1, D))
    masks = network._masks(D)
    expected = 2.0 * sum(
        np.abs(kernel.numpy() * mask).sum() for kernel, mask in zip(network.kernels, masks, strict=True)
    )
    np.testing.assert_allclose(sum(network.losses), expected, rtol=1e-6)


# Against TFP --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"hidden_units": None},
        {"hidden_units": [2]},
        {"hidden_units": [13, 6, 11], "activation": "relu"},
        {"input_order": "right-to-left"},
        {"input_order": PLACES},
        {"use_bias": False},
        {"params": 1},
        {"event_shape": (1,)},
        {"conditional": True, "conditional_event_shape": C},
        {"conditional": True, "conditional_event_shape": [C], "conditional_input_layers": "first_layer"},
    ],
    ids=str,
)
def test_same_numbers_as_tfp_with_the_same_weights(arguments):
    # In float32: theirs goes through it whatever its dtype.
    arguments = {"params": P, "event_shape": D, "hidden_units": HIDDEN, "activation": "tanh", **arguments}
    theirs, ours = tfp.bijectors.AutoregressiveNetwork(**arguments), AutoregressiveNetwork(**arguments)
    x = some(6, np.ravel(arguments["event_shape"])[0])
    condition = {"conditional_input": some(6, C, seed=1)} if ours.conditional else {}
    assert theirs(x, **condition).shape == ours(x, **condition).shape
    weights = theirs.get_weights()
    assert [w.shape for w in weights] == [tuple(w.shape) for w in ours.weights]
    weights = [w if w.ndim == 2 else some(*w.shape, seed=i) for i, w in enumerate(weights)]
    theirs.set_weights(weights)
    for i, weight in enumerate(weights):
        if weight.ndim == 2:  # both draw kernels from all of the line, and so zero is what the mask hides
            np.testing.assert_array_equal(ours.weights[i].numpy() != 0, weight != 0)
            weight[weight == 0] = 7.0  # of what we hide, nothing may count
    ours.set_weights(weights)
    np.testing.assert_allclose(ours(x, **condition), theirs(x, **condition), rtol=1e-5, atol=1e-6)


# Ways of use --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("leading", [(), (4,), (2, 5), (0,), (0, 3)])
def test_any_leading_axes(leading):
    network, x = made(), some(*leading, D, dtype="float64")
    output = network(x)
    assert output.shape == (*leading, D, P)
    flat = network(x.reshape(-1, D))
    np.testing.assert_allclose(output, tf.reshape(flat, (*leading, D, P)), rtol=1e-12)


@pytest.mark.parametrize("jit_compile", slow_except([False, True], True))
def test_graph_and_xla_with_an_unknown_batch_size(jit_compile):
    network = made(conditional=True, conditional_event_shape=C, dtype="float32")

    def value_and_gradients(x, condition):
        with tf.GradientTape() as tape:
            tape.watch([x, condition])
            output = network(x, conditional_input=condition)
            loss = tf.reduce_sum(tf.square(output))
        return output, *tape.gradient(loss, [x, condition, *network.trainable_variables])

    signature = [tf.TensorSpec([None, D]), tf.TensorSpec([None, C])]
    compiled = tf.function(value_and_gradients, input_signature=signature, jit_compile=jit_compile)
    inputs = tf.constant(some(6, D)), tf.constant(some(6, C, seed=1))
    for one, same in zip(compiled(*inputs), value_and_gradients(*inputs), strict=True):
        assert np.any(np.asarray(same) != 0)
        np.testing.assert_allclose(one, same, rtol=1e-4, atol=1e-4)


def test_symbolic_shape():
    inputs = keras.Input((D,))
    assert AutoregressiveNetwork(P)(inputs).shape == (None, D, P)
    assert AutoregressiveNetwork(P, hidden_units=[4])(keras.Input((2, D), batch_size=3)).shape == (3, 2, D, P)


def test_config_through_json():
    network = AutoregressiveNetwork(
        params=np.int64(P),
        event_shape=[D],
        conditional=True,
        conditional_event_shape=C,
        conditional_input_layers="first_layer",
        hidden_units=(7, 9),
        input_order=np.array(PLACES),
        hidden_degrees="random",
        activation="relu",
        use_bias=False,
        kernel_initializer=keras.initializers.HeNormal(seed=3),
        bias_initializer="ones",
        kernel_regularizer=keras.regularizers.L2(0.1),
        bias_regularizer="l1",
        kernel_constraint=keras.constraints.MaxNorm(2.0),
        bias_constraint="non_neg",
        validate_args=True,
        seed=11,
        name="named",
    )
    config = json.dumps(network.get_config())
    again = AutoregressiveNetwork.from_config(json.loads(config))
    assert json.dumps(again.get_config()) == config
    condition = {"conditional_input": some(3, C)}
    np.testing.assert_array_equal(network(some(3, D), **condition), again(some(3, D), **condition))


def test_keras_file_round_trip_in_safe_mode(tmp_path):
    x, condition = keras.Input((D,)), keras.Input((C,))
    network = AutoregressiveNetwork(
        P, D, True, C, hidden_units=HIDDEN, input_order="random", hidden_degrees="random", activation="tanh"
    )
    model = keras.Model([x, condition], network(x, conditional_input=condition))
    model.save(tmp_path / "made.keras")
    loaded = keras.saving.load_model(tmp_path / "made.keras", safe_mode=True)
    inputs = [some(4, D), some(4, C, seed=1)]
    np.testing.assert_array_equal(loaded(inputs), model(inputs))
    sequential = keras.Sequential([AutoregressiveNetwork(P, input_order="random")])
    sequential(some(4, D))
    sequential.save(tmp_path / "inferred.keras")
    loaded = keras.saving.load_model(tmp_path / "inferred.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded(some(4, D)), sequential(some(4, D)))


def test_a_seeded_initialiser_gives_kernels_of_one_shape_different_numbers():
    networks = [
        AutoregressiveNetwork(P, D, hidden_units=[8, 8, 8], kernel_initializer=initializer)
        for initializer in (keras.initializers.GlorotUniform(seed=1), keras.initializers.GlorotUniform(), "he_normal")
    ]
    for network in networks:
        network(some(1, D))
        second, third = (kernel.numpy() for kernel in network.kernels[1:3])
        shown = (second != 0) & (third != 0)
        assert shown.sum() > 20
        assert np.all((second != third)[shown])
    again = AutoregressiveNetwork.from_config(networks[0].get_config())
    again(some(1, D))
    np.testing.assert_array_equal(again(some(2, D)), networks[0](some(2, D)))


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float64"])
def test_precision_follows_the_weights(policy, set_policy):
    set_policy(policy)
    network = AutoregressiveNetwork(P, D, hidden_units=HIDDEN)
    expected = "float64" if policy == "float64" else "float32"
    assert network(some(2, D)).dtype == expected
    assert network(keras.Input((D,))).dtype == expected
    assert all(weight.dtype == expected for weight in network.weights)


@pytest.mark.parametrize("jit_compile", slow_except([False, True], True))
def test_masked_autoregressive_flow_with_it_inverts(jit_compile):
    network = made(params=2, hidden_units=[8], input_order=PLACES)
    for weight in network.weights:
        weight.assign(0.3 * weight)
    flow = tfp.bijectors.MaskedAutoregressiveFlow(lambda x: tf.unstack(network(x), axis=-1))
    u = tf.constant(some(6, D, dtype="float64"))
    forward = tf.function(lambda u: flow.forward(tf.identity(u)), jit_compile=jit_compile)
    inverse = tf.function(lambda y: flow.inverse(tf.identity(y)), jit_compile=jit_compile)
    np.testing.assert_allclose(inverse(forward(u)), u, rtol=1e-9, atol=1e-9)


# Errors -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"params": 0}, "params"),
        ({"hidden_units": [3, 0]}, r"hidden_units.*\[3, 0\]"),
        ({"event_shape": (2, 3)}, r"event_shape.*one axis.*\(2, 3\)"),
        ({"conditional": True}, "conditional_event_shape"),
        ({"conditional_event_shape": 2}, "conditional=False"),
        ({"conditional": True, "conditional_event_shape": (2, 3)}, r"\(2, 3\)"),
        ({"conditional_input_layers": "last_layer"}, "'all_layers', 'first_layer'.*'last_layer'"),
        ({"input_order": "up"}, "'random'.*'up'"),
        ({"event_shape": 3, "input_order": [0, 1, 2]}, r"permutation of 1\.\.3.*\(0, 1, 2\)"),
        ({"event_shape": 3, "input_order": [1, 2]}, r"permutation of 1\.\.3"),
        ({"hidden_degrees": "even"}, "'equal'.*'even'"),
    ],
)
def test_impossible_arguments_are_one_clear_error(arguments, message):
    with pytest.raises(ValueError, match=message):
        AutoregressiveNetwork(**{"params": 2, **arguments})


def test_wrong_inputs_are_one_clear_error():
    with pytest.raises(ValueError, match=r"shape \(\.\.\., 5\).*Received: shape=\(2, 4\)"):
        AutoregressiveNetwork(2, D)(some(2, 4))
    with pytest.raises(ValueError, match="so call it with a conditional_input"):
        AutoregressiveNetwork(2, D, True, C)(some(2, D))
    with pytest.raises(ValueError, match="so call it without a conditional_input"):
        AutoregressiveNetwork(2, D)(some(2, D), conditional_input=some(2, C))
    with pytest.raises(ValueError, match="permutation"):
        AutoregressiveNetwork(2, input_order=[1, 2])(some(2, D))


def test_validate_args_finds_what_is_not_finite():
    x = np.full((2, D), np.nan, "float32")
    assert np.isnan(AutoregressiveNetwork(2, hidden_units=[4])(x)).any()
    with pytest.raises(tf.errors.InvalidArgumentError, match="x of named"):
        AutoregressiveNetwork(2, validate_args=True, name="named")(x)
