"""Many steps a call: the same run as one step a call, only sooner."""

import gc
import itertools
import json
import logging
import re
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfvae
from tfvae import layers
from tfvae.data.batches import Batches
from tfvae.data.batches import endless as endless_split
from tfvae.estimators import Estimate
from tfvae.execution import plan
from tfvae.execution.device_batches import ArrayExamples, DeviceBatches
from tfvae.execution.step_functions import StepFunctions

D, SHAPE, N = 2, (3, 2, 1), 47


@pytest.fixture(autouse=True)
def fewer_libraries_in_the_log(caplog):
    caplog.set_level(logging.INFO, logger="tfvae")


def images(n=N):
    return (np.random.default_rng(n).uniform(size=(n, *SHAPE)) < 0.4).astype("float32")


def make_vae(middle=(), **compile_arguments):
    """With all that a step may change: weights, moving means, and the states of dropout and optimizer."""
    keras.utils.set_random_seed(3)
    encoder = keras.Sequential(
        [
            *middle,
            keras.layers.Flatten(),
            keras.layers.Dense(4, activation="tanh"),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(layers.MultivariateNormalDiag.params_size(D)),
            layers.MultivariateNormalDiag(D),
        ]
    )
    decoder = keras.Sequential(
        [keras.layers.Dense(6), keras.layers.BatchNormalization(), layers.IndependentBernoulli(SHAPE)]
    )
    return compiled(encoder, decoder, **compile_arguments)


def at_mean(problem, *, beta=1.0, seed=None):
    """The bound with z at the posterior's mean: an estimate without chance, which is traced sooner."""
    z = problem.posterior.mean()
    log_likelihood, kl = problem.generate(z).log_prob(problem.x), tf.reduce_sum(z**2, axis=-1)
    return Estimate(beta * kl - log_likelihood, log_likelihood - kl, log_likelihood, kl)


def make_plain_vae(*first, **compile_arguments):
    """For questions about the loop, not about what a step does."""
    keras.utils.set_random_seed(3)
    encoder = keras.Sequential(
        [*first, keras.layers.Flatten(), keras.layers.Dense(2 * D), layers.IndependentNormal((D,))]
    )
    decoder = keras.Sequential([keras.layers.Dense(6), layers.IndependentBernoulli(SHAPE)])
    return compiled(encoder, decoder, estimator=at_mean, **compile_arguments)


def compiled(encoder, decoder, *, estimator=None, **compile_arguments):
    vae = tfvae.models.VAE(encoder, decoder, tfvae.priors.StandardNormal(D), estimator, seed=5)
    rate = keras.optimizers.schedules.ExponentialDecay(0.1, 3, 0.9)
    optimizer = keras.optimizers.SGD(rate, momentum=0.5)
    vae.compile(optimizer, **{"jit_compile": False, **compile_arguments})
    return vae


class EveryBatch(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(batch)


def endless(x):
    return tf.data.Dataset.from_tensor_slices(x).batch(8).repeat()


def batches(x, size=8):
    return tf.data.Dataset.from_tensor_slices(x).batch(size)


def named(x):
    return {"image": x, "name": np.array(["a"] * len(x))}, np.arange(len(x))


slow = pytest.mark.slow
FITS = {
    "arrays": lambda x: {"x": x, "batch_size": 8, "validation_data": x[:13], "validation_batch_size": 5},
    "arrays, fewer steps": lambda x: {"x": x, "batch_size": 4, "steps_per_epoch": 8},
    "endless": lambda x: {"x": endless(x), "steps_per_epoch": 7, "validation_data": endless(x), "validation_steps": 3},
    "uneven": lambda x: {"x": batches(x[:20], 5).concatenate(batches(x[20:], 3))},
    "sample weights": lambda x: {"x": x, "batch_size": 8, "sample_weight": np.linspace(0.0, 2.0, len(x))},
    "split off": lambda x: {"x": x, "batch_size": 8, "validation_split": 0.3, "shuffle": False},
    "data set": lambda x: {"x": batches(x), "validation_data": (x[:9], None)},
    "finite, fewer steps": lambda x: {"x": batches(x, 4), "steps_per_epoch": 8},
    "unknown length": lambda x: {"x": batches(x).filter(lambda x: True)},
    "labels and words": lambda x: {"x": batches(named(x))},
}
CASES = list(itertools.product(FITS, [False, True]))
CASES.remove(("labels and words", True))  # XLA has no words


@pytest.mark.parametrize(("name", "jit_compile"), CASES)
@pytest.mark.slow
def test_many_steps_a_call_make_the_same_run(name, jit_compile):
    runs = []
    others = [("auto", [EveryBatch()])] if name == "arrays" else [(5, []), ("auto", [EveryBatch()])]
    for number, callbacks in [("auto", []), *others]:
        vae = make_vae(jit_compile=jit_compile, steps_per_execution=number)
        options = {"epochs": 3, "verbose": 0, **FITS[name](images()), "callbacks": callbacks}
        history = vae.fit(**options).history
        runs.append((vae.get_weights(), history, int(vae.optimizer.iterations), vae.execution.num_steps))
    assert runs[0][-1] > 1
    assert runs[-1][-1] == 1
    for other in runs[1:]:
        assert_same_run(other, runs[0])


def assert_same_run(mine, theirs):
    (weights, history, iterations, _), (other_weights, other_history, other_iterations, _) = mine, theirs
    assert iterations == other_iterations
    assert history.keys() == other_history.keys()
    for key, values in other_history.items():
        np.testing.assert_allclose(history[key], values, rtol=1e-5)
    for a, b in zip(weights, other_weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


class KerasOwn(StepFunctions):
    """Keras' own function of one step."""

    can_loop = False


VALIDATION = {"validation_data": images(10), "validation_batch_size": 5, "validation_freq": 2}


def fit_in_order(vae, **options):
    """Orders of the examples are drawn in other ways by Keras."""
    history = vae.fit(images(), batch_size=8, epochs=2, shuffle=False, verbose=0, **options).history
    return vae.get_weights(), history, int(vae.optimizer.iterations), vae.execution.num_steps


@pytest.fixture(scope="module")
def many_steps_a_call():
    vae = make_vae()
    return vae, fit_in_order(vae, **VALIDATION)


def test_many_steps_a_call_make_the_run_of_single_steps(many_steps_a_call):
    _, many = many_steps_a_call
    weights, history, *_, num_steps = single = fit_in_order(make_vae(), callbacks=[EveryBatch()])
    assert (many[-1], num_steps) == (6, 1)
    # Many steps a call were validated at the end, which the state of the noise and the history show.
    validated = {key: values for key, values in many[1].items() if key.startswith("val_")}
    states = [now if now.dtype.kind == "f" else many[0][i] for i, now in enumerate(weights)]
    assert_same_run(many, (states, history | validated, *single[2:]))


def test_they_are_the_steps_of_keras(many_steps_a_call):
    _, many = many_steps_a_call
    vae = make_vae()
    vae._step_functions = KerasOwn(vae)
    assert_same_run(many, fit_in_order(vae, **VALIDATION))


def test_prediction_is_not_told_of_calls_of_many_steps(many_steps_a_call):
    vae, _ = many_steps_a_call
    assert vae.execution.num_steps > 1
    assert vae.steps_per_execution == 1


@pytest.mark.slow
def test_an_epoch_of_given_length_has_it():
    vae, callback = make_vae(steps_per_execution=5), EveryBatch()
    vae.fit(endless(images()), steps_per_epoch=7, epochs=2, verbose=0, callbacks=[callback])
    assert int(vae.optimizer.iterations) == 14
    assert callback.seen == [4, 9] * 2  # as Keras numbers them
    assert vae.evaluate(endless(images()), steps=3, verbose=0, return_dict=True).keys() == {
        "loss", "elbo", "log_likelihood", "kl",
    }  # fmt: skip


class Evaluates(keras.callbacks.Callback):
    """Looks at other data, in batches of other sizes, after a call of steps and after an epoch."""

    knows_executions = True

    def _evaluate(self, **options):
        state = self.model.seed_generator.state
        before = state.numpy()
        self.model.evaluate(images(6), verbose=0, **options)
        state.assign(before)

    def on_train_batch_end(self, batch, logs=None):
        self._evaluate(batch_size=2, steps=2)

    def on_epoch_end(self, epoch, logs=None):
        self._evaluate(batch_size=5)


@pytest.mark.parametrize(
    "data", [{"x": images(), "batch_size": 8, "shuffle": False}, pytest.param({"x": batches(images())}, marks=slow)]
)
@pytest.mark.slow
def test_callbacks_may_evaluate_within_a_fit(data):
    def fit(*callbacks):
        vae = make_vae(steps_per_execution=2)
        vae.fit(**data, validation_data=images(9), epochs=2, verbose=0, callbacks=callbacks)
        return vae.get_weights()

    for a, b in zip(fit(Evaluates()), fit(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_a_callback_list_used_again_forgets_the_earlier_length():
    vae = make_vae()
    callbacks = keras.callbacks.CallbackList([keras.callbacks.History()], model=vae)
    for steps in (3, 7):
        vae.fit(endless(images()), steps_per_epoch=steps, verbose=0, callbacks=callbacks)
    assert int(vae.optimizer.iterations) == 10


def test_every_pass_over_an_array_has_each_example_once_in_an_order_of_its_own():
    def first_passes(number):
        keras.utils.set_random_seed(1)
        rows, passes = DeviceBatches(ArrayExamples(tf.constant(images()), 8, True)), []
        for _ in range(number):
            seen = []
            for limit in (3, 2):
                stack, count, odd = rows.take(4, limit)
                assert stack["rows"].shape == (4, 8)
                assert (count, odd) == (limit, None)  # there was no room for the smaller one
                seen.append(stack["rows"][:count].ravel())
            _, count, odd = rows.take(4, 1)
            assert count == 0
            passes.append(np.concatenate([*seen, odd["rows"]]))
        return passes

    first, second = first_passes(2)
    np.testing.assert_array_equal(np.sort(first), np.arange(N))
    np.testing.assert_array_equal(np.sort(second), np.arange(N))
    assert (first != second).any()
    np.testing.assert_array_equal(first_passes(1)[0], first)


LEVELS = np.random.default_rng(2).integers(0, 5, (N, *SHAPE)).astype("uint8")


@pytest.mark.parametrize("jit_compile", [False, pytest.param(True, marks=slow)])
@pytest.mark.parametrize(
    ("split", "options"),
    [
        (tfvae.data.Split(LEVELS, num_levels=5), {"shuffle": True, "binarize": "dynamic"}),
        pytest.param(tfvae.data.Split(LEVELS, num_levels=5), {"shuffle": True, "drop_remainder": True}, marks=slow),
        pytest.param(tfvae.data.Split(LEVELS, num_levels=5), {"dequantize": True}, marks=slow),
        pytest.param(tfvae.data.Split(LEVELS / np.float32(4)), {"shuffle": True, "binarize": "dynamic"}, marks=slow),
        pytest.param(tfvae.data.Split(LEVELS / np.float32(4)), {}, marks=slow),
    ],
)
def test_splits_on_the_device_give_the_batches_of_their_data_set(split, options, jit_compile):
    """Each pass by itself, and repeated without end in epochs that end within a pass."""

    def fit(vae, data, **arguments):
        before = int(vae.optimizer.iterations)
        history = vae.fit(data, verbose=0, **arguments).history
        return vae.get_weights(), history, int(vae.optimizer.iterations) - before

    def batches():
        train = split.batches(8, seed=4, **options)
        assert isinstance(train, Batches)
        return train

    plain, vae = make_vae(), make_vae()
    for each in (plain, vae):
        # Small steps, which make little of the rounding in gradients that are 0 (a bias before a normalisation).
        each.compile(keras.optimizers.SGD(0.01), jit_compile=jit_compile, steps_per_execution=4)
    start, num_batches = [variable.numpy() for variable in vae.variables], len(batches())
    # What is made from a data set of a split is read through `tf.data`; repeated, because Keras skips passes else.
    expected = fit(plain, batches().repeat(), steps_per_epoch=num_batches, epochs=3)
    of_passes = fit(vae, batches(), epochs=3)
    for variable, value in zip(vae.variables, start, strict=True):  # seeds too
        variable.assign(value)
    repeated = endless_split(batches())
    assert isinstance(repeated, Batches)
    endless = fit(vae, repeated, steps_per_epoch=3, epochs=num_batches)
    assert of_passes[2] == endless[2] == expected[2] == 3 * num_batches
    for key, values in expected[1].items():
        np.testing.assert_allclose(of_passes[1][key], values, rtol=1e-5)
    for weights, _, _ in (of_passes, endless):
        for a, b in zip(weights, expected[0], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("steps_per_execution", "jit_compile"), [(2, False), pytest.param(50, True, marks=slow)]
)  # in several calls and in one
def test_validation_batches_on_the_device_give_the_numbers_of_their_data_set(steps_per_execution, jit_compile):
    split = tfvae.data.Split(LEVELS / np.float32(4))
    found = []
    for validation in (split.batches(6), split.batches(6).map(lambda x: x)):  # the second one is read by an iterator
        vae = make_plain_vae(jit_compile=jit_compile, steps_per_execution=steps_per_execution)
        history = vae.fit(images(16), batch_size=8, epochs=2, validation_data=validation, verbose=0).history
        found.append((history, [variable.numpy().tolist() for variable in vae.variables]))
        assert vae.execution.validation is None
    assert found[0] == found[1]
    assert found[0][0]["val_elbo"][0] != found[0][0]["val_elbo"][1]


@pytest.mark.slow
def test_fits_on_other_data_are_compiled_for_them():
    """The program of a fit takes its examples from the right place, and finishes them in the right way."""

    def elbo_after(*kinds):
        vae = make_vae()
        vae.compile(keras.optimizers.SGD(0.0), jit_compile=False)
        data = {
            "gray": lambda: tfvae.data.Split(LEVELS, num_levels=5).batches(8),
            "binary": lambda: tfvae.data.Split(np.uint8(LEVELS > 3), num_levels=2).batches(8),
            "dark": lambda: np.zeros((N, *SHAPE), "float32"),
        }
        return [vae.fit(data[kind](), verbose=0).history["elbo"][0] for kind in kinds]

    alone = [elbo_after(kind)[0] for kind in ("gray", "binary", "dark")]
    together = elbo_after("gray", "binary", "dark", "gray")
    assert np.ptp(alone) > 0.5
    np.testing.assert_allclose(together, [*alone, alone[0]], atol=0.2)


@pytest.mark.slow
def test_batches_of_another_size_are_trained_once_each():
    vae, seen = make_vae(), []
    step = vae.train_step

    def recorded(batch):
        size = tf.shape(batch)[0]
        with tf.control_dependencies([tf.py_function(lambda size: seen.append(int(size)), [size], [])]):
            return step(tf.identity(batch))

    vae.train_step = recorded
    vae.fit(batches(images(30)).concatenate(batches(images(6), 3)), epochs=2, verbose=0)
    assert seen == [8, 8, 8, 6, 3, 3] * 2


def test_each_function_is_traced_once():
    vae, traces = make_plain_vae(), []
    estimate = vae.estimate
    vae.estimate = lambda *args, **kwargs: traces.append(kwargs) or estimate(*args, **kwargs)
    for epochs in (1, 3):
        vae.fit(images(40), batch_size=8, epochs=epochs, verbose=0, validation_data=images(16), validation_batch_size=8)
        assert len(traces) == 2  # a train step and a test step
    data = batches(images(40))
    for epochs in (1, 3):
        vae.fit(data, epochs=epochs, verbose=0)
        assert len(traces) == 3  # batches from a data set, not rows of an array
    vae.fit(batches(images(43)), verbose=0)
    assert len(traces) == 4  # the last batch has a size of its own


def test_convolutions_do_without_xla(caplog):
    vae = make_plain_vae(keras.layers.Conv2D(2, 2, padding="same"), jit_compile="auto")
    vae.fit(images(16), batch_size=8, verbose=0)
    if not tf.config.list_logical_devices("GPU"):
        assert "without XLA: a loop of convolutions is slow" in caplog.text


@keras.saving.register_keras_serializable("test_steps")
class Uncompilable(keras.layers.Layer):
    def call(self, x):
        return tf.ensure_shape(tf.numpy_function(lambda x: x, [x], x.dtype, stateful=False), x.shape)


def test_what_xla_cannot_compile_runs_without(caplog):
    vae = make_plain_vae(keras.layers.InputLayer(SHAPE), Uncompilable(), jit_compile="auto")
    history = vae.fit(images(16), batch_size=8, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert "without XLA: XLA cannot compile this model" in caplog.text
    assert int(vae.optimizer.iterations) == 2


@pytest.mark.slow
def test_dense_models_take_xla(caplog):
    vae = make_vae(jit_compile="auto")
    vae.fit(images(16), batch_size=8, verbose=0)
    assert "with XLA: the faster choice" in caplog.text


def test_auto_survives_the_file(tmp_path):
    vae = make_vae(jit_compile="auto")
    vae.save(tmp_path / "vae.keras")
    assert tfvae.load_model(tmp_path / "vae.keras")._compile_arguments == {
        "jit_compile": "auto",
        "steps_per_execution": "auto",
    }
    assert "auto" in json.dumps(vae.get_compile_config())


def test_bad_number_of_steps():
    with pytest.raises(ValueError, match="`steps_per_execution` must be an integer of at least 1"):
        make_vae(steps_per_execution=0)


def test_who_needs_every_batch(tmp_path):
    checkpoint = keras.callbacks.ModelCheckpoint
    patient = [
        keras.callbacks.EarlyStopping(),
        keras.callbacks.TensorBoard(tmp_path),
        keras.callbacks.CSVLogger(tmp_path / "log.csv"),
        checkpoint(tmp_path / "vae.keras"),
        keras.callbacks.BackupAndRestore(tmp_path),
        keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: None),
        tfvae.callbacks.StopOnNonFinite(),
        tfvae.callbacks.BetaSchedule(tfvae.callbacks.Constant(1.0)),
        tfvae.callbacks.VAETensorBoard(tmp_path),
    ]
    curious = [
        EveryBatch(),
        checkpoint(tmp_path / "vae.keras", save_freq=10),
        keras.callbacks.BackupAndRestore(tmp_path, save_freq=3),
        keras.callbacks.TensorBoard(tmp_path, update_freq="batch"),
        keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None),
        keras.callbacks.TerminateOnNaN(),
    ]
    assert [plan.needs_every_batch(callback) for callback in patient] == [False] * len(patient)
    assert [plan.needs_every_batch(callback) for callback in curious] == [True] * len(curious)


# What a compiled step is made for -------------------------------------------------------------------------------------


def moved_parts(vae, train):
    """Which of encoder and decoder a function trains."""
    parts = {"encoder": vae.encoder.layers[-2].kernel, "decoder": vae.decoder.layers[0].kernel}
    before = {name: kernel.numpy() for name, kernel in parts.items()}
    train()
    return {name for name, kernel in parts.items() if (kernel.numpy() != before[name]).any()}


def test_steps_follow_what_is_trainable_and_who_trains_it():
    vae = make_plain_vae()

    def moved():
        return moved_parts(vae, lambda: vae.fit(images(16), batch_size=8, verbose=0))

    both = {"encoder", "decoder"}
    assert moved() == both
    vae.encoder.trainable = False
    vae.make_train_function(force=True)
    assert moved() == {"decoder"}
    vae.encoder.trainable = True
    vae.decoder.layers[0].trainable = False
    assert moved() == {"encoder"}
    vae.decoder.layers[0].trainable = True
    assert moved_parts(vae, lambda: vae.train_on_batch(images(8))) == both
    vae.optimizer = keras.optimizers.SGD(0.0)
    assert moved() == set()


def test_a_frozen_normalisation_stays_what_it_is():
    """Without weights that train, its flag alone tells the programs apart."""
    keras.utils.set_random_seed(1)
    norm = keras.layers.BatchNormalization(center=False, scale=False)
    vae = make_plain_vae(norm)
    fit = {"x": images(16) + 3.0, "batch_size": 8, "verbose": 0}
    vae.decoder.layers[-1].support = None  # the values need not be images
    vae.fit(**fit)
    norm.trainable = False
    before = norm.moving_mean.numpy()
    assert before.any()
    vae.fit(**fit)
    np.testing.assert_array_equal(norm.moving_mean.numpy(), before)


def test_another_estimator_and_beta_take_effect():
    vae, fit = make_plain_vae(), {"x": images(16), "batch_size": 8, "verbose": 0}
    vae.fit(**fit)
    seen, sgvb = [], tfvae.estimators.SGVB()
    vae.estimator = lambda *args, **kwargs: seen.append(1) or sgvb(*args, **kwargs)
    vae.fit(**fit)
    assert seen
    vae.beta = 3.0
    logs = vae.train_on_batch(images(8), return_dict=True)
    np.testing.assert_allclose(logs["loss"], 3.0 * logs["kl"] - logs["log_likelihood"], rtol=1e-5)
    with pytest.raises(ValueError, match="`beta` must be a finite number, at least 0"):
        vae.beta = -1.0
    with pytest.raises(TypeError, match="estimator"):
        vae.estimator = tfvae.estimators.SGVB


def test_few_functions_are_kept():
    vae = make_plain_vae()
    for num_steps in range(1, 12):
        vae.execution.num_steps = num_steps
        vae.make_train_function(force=False)
        vae.train_function = None
    assert len(vae._step_functions._functions["train"]) == 8


def test_models_and_data_are_freed():
    """Also what a graph holds: the variables that it reads. TFP's cache holds graphs that are not removed from it."""
    computed = len(tfp.bijectors.Bijector._cache.storage)
    vae = make_plain_vae()
    data = tfvae.data.Split(LEVELS, num_levels=5).batches(8, shuffle=True, binarize="dynamic")
    vae.fit(data, verbose=0, validation_data=images(8))
    handles = (vae.encoder.layers[1].kernel.value.handle, vae.optimizer.variables[-1].value.handle)
    refs = [weakref.ref(one) for one in (vae, data, *handles)]
    del vae, data, handles
    for _ in range(3):  # a model's functions go when the model is gone
        if any(ref() is not None for ref in refs):
            gc.collect()
    assert [ref() for ref in refs] == [None] * 4
    assert len(tfp.bijectors.Bijector._cache.storage) <= computed


# What Keras is told of the steps --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("every", "expected"), [(0, 100), (5, 5), (7, 7), (100, 100), (101, 51), (150, 75), (1000, 100), (1001, 91)]
)
def test_calls_end_where_a_callback_wants_them_to(every, expected):
    callback = tfvae.callbacks.StopOnNonFinite()
    callback.every_steps = every
    assert plan.steps_per_call(endless(images()), images(8), None, 5000, [callback]) == expected
    assert plan.steps_per_call(endless(images()), images(8), None, 15, [callback]) == min(15, expected)


def counts_shown(text):
    """`n/m` as it stands at the end of each pass; no line counts too far, or is long."""
    last = []
    for line in re.sub("\x1b\\[[0-9;]*m|\b", "", text).split("\n"):
        shown = [part.strip() for part in line.split("\r") if re.match(r" *\d+/(\d|Unknown)", part)]
        for part in shown:
            count, target = part.split()[0].split("/")
            assert target == "Unknown" or int(count) <= int(target)
            assert len(part) < 200
        last += [part.split()[0] for part in shown[-1:]]
    return last


class Lengths:
    """A pass is longer by a batch than the one before."""

    def __init__(self, first, by=1):
        self.next, self.by = first, by

    def __call__(self):
        self.next += self.by
        yield from np.split(images(48), 6)[: self.next - self.by]


@pytest.mark.filterwarnings("error:Your input ran out of data")
def test_the_bar_counts_the_steps_that_exist(capsys):
    vae = make_plain_vae(steps_per_execution=4)

    def shown(call, data, **options):
        call(data, verbose=1, **options)
        return counts_shown(capsys.readouterr().out)

    known = batches(images(48))
    unknown = known.filter(lambda x: True)
    assert shown(vae.fit, known, epochs=2) == ["6/6", "6/6"]
    assert shown(vae.fit, known.repeat(), steps_per_epoch=5) == ["5/5"]
    assert shown(vae.evaluate, known) == ["6/6"]
    assert shown(vae.fit, unknown, epochs=3, validation_data=unknown) == ["6/6", "6/6", "6/6"]
    assert shown(vae.evaluate, unknown) == ["6/6"]
    changing = tf.data.Dataset.from_generator(Lengths(1), output_signature=tf.TensorSpec((8, *SHAPE)))
    before = int(vae.optimizer.iterations)  # the pass that `fit` looks at is the first
    assert shown(vae.fit, changing, epochs=3) == ["2/2", "3/3", "4/4"]
    assert int(vae.optimizer.iterations) - before == 2 + 3 + 4
    bar = keras.callbacks.CallbackList([], add_history=True, add_progbar=True, model=vae, verbose=1, epochs=1, steps=6)
    assert shown(vae.fit, known, callbacks=bar) == ["6/6"]
