"""`VAE.fit` in every precision and way to run steps, and with what optimizers can do."""

import keras
import numpy as np

from same_numbers_scenarios.parts import BATCH_SIZE, WEIGHTS, X, fit, flat, make_encoder, make_vae, trained
from tfvae.callbacks import BetaSchedule, LinearWarmUp, StopOnNonFinite
from tfvae.estimators import DReG, WakeSleep

SETTINGS = {
    "compiled_auto": {"jit_compile": "auto"},
    "compiled": {"jit_compile": True},
    "compiled_single_steps": {"jit_compile": True, "compiled": {"steps_per_execution": 1}},
    "single_steps": {"compiled": {"steps_per_execution": 1}},
    "three_steps": {"compiled": {"steps_per_execution": 3}},
    "eager": {"compiled": {"run_eagerly": True}},
}
OPTIMIZERS = {
    "sgd": lambda: keras.optimizers.SGD(0.1, momentum=0.5),
    "clipped_norm": lambda: keras.optimizers.SGD(0.1, clipnorm=0.3),
    "clipped_global_norm": lambda: keras.optimizers.Adam(0.01, global_clipnorm=0.3),
    "clipped_values": lambda: keras.optimizers.Adam(0.01, clipvalue=0.01),
    "moving_average": lambda: keras.optimizers.Adam(0.01, use_ema=True, ema_momentum=0.9, ema_overwrite_frequency=4),
    "accumulation": lambda: keras.optimizers.Adam(0.01, gradient_accumulation_steps=2),
    "weight_decay": lambda: keras.optimizers.AdamW(0.01, weight_decay=0.1),
    "learning_rate_schedule": lambda: keras.optimizers.Adam(keras.optimizers.schedules.ExponentialDecay(0.05, 3, 0.5)),
    "loss_scale": lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.01), initial_scale=64.0),
}


class EachBatch(keras.callbacks.Callback):
    """A callback that looks at every batch."""

    def __init__(self):
        super().__init__()
        self.losses = []

    def on_train_batch_end(self, batch, logs=None):
        """Notes the loss so far."""
        self.losses.append(logs["loss"])


def in_precision(policy, make=make_vae, **kwargs):
    """The scenario of a fit, and of bounds and draws after it."""

    def scenario(folder):
        keras.config.set_dtype_policy(policy)
        if policy == "float64":
            keras.config.set_floatx("float64")
        vae = make()
        arrays = fit(vae, X.astype(policy) if policy == "float64" else X, **kwargs)
        drawn = {"elbo": vae.elbo(X, seed=1), "sample": vae.sample(4, seed=2), "mean": vae.reconstruct(X, seed=3)}
        return arrays | {name: np.asarray(value) for name, value in drawn.items()}

    return scenario


def single_batches(folder):
    """`train_on_batch` and `test_on_batch`."""
    vae, found = make_vae(), {}
    vae.compile(keras.optimizers.Adam(0.01), jit_compile=False)
    for i, rows in enumerate((slice(0, 8), slice(8, 16), slice(16, 20))):
        found[f"train/{i}"] = vae.train_on_batch(X[rows], sample_weight=WEIGHTS[rows], return_dict=True)
        found[f"test/{i}"] = vae.test_on_batch(X[rows], return_dict=True)
    return trained(vae) | flat(found)


def callbacks(folder):
    """Of every batch, of beta, and Keras' own that change the learning rate and compare epochs."""
    each = EachBatch()
    others = [
        each,
        BetaSchedule(LinearWarmUp(num_steps=7)),
        StopOnNonFinite(),
        keras.callbacks.LearningRateScheduler(lambda epoch: 0.01 / (1 + epoch)),
        keras.callbacks.EarlyStopping("val_elbo", mode="max", restore_best_weights=True),
    ]
    arrays = fit(make_vae(), validation_data=(X[:9], X[:9]), callbacks=others)
    return {**arrays, "losses": np.array(each.losses)}


def resumed_fits(folder):
    """Three fits one after another, with another learning rate, beta and estimator in between."""
    vae = make_vae()
    found = {f"first/{name}": array for name, array in fit(vae, shuffle=False).items()}
    vae.optimizer.learning_rate = 0.003
    vae.beta = 0.5
    history = vae.fit(X, batch_size=BATCH_SIZE, initial_epoch=2, epochs=4, verbose=0).history
    found |= {f"second/{name}": array for name, array in trained(vae, history).items()}
    vae.estimator = DReG(3)
    history = vae.fit(X, batch_size=BATCH_SIZE, verbose=0).history
    return found | {f"third/{name}": array for name, array in trained(vae, history).items()}


def frozen():
    """A model of which a part is not trained."""
    encoder = make_encoder()
    encoder.layers[1].trainable = False
    return make_vae(encoder=encoder)


SCENARIOS = {
    **{name: lambda folder, settings=settings: fit(make_vae(), **settings) for name, settings in SETTINGS.items()},
    **{
        f"optimizer_{name}": lambda folder, make=make: fit(make_vae(), optimizer=make())
        for name, make in OPTIMIZERS.items()
    },
    "frozen": lambda folder: fit(frozen()),
    "compiled_wake_sleep": lambda folder: fit(make_vae(WakeSleep()), jit_compile=True),
    "single_batches": single_batches,
    "callbacks": callbacks,
    "several_fits": resumed_fits,
    "float16": in_precision("mixed_float16"),
    "float16_compiled": in_precision("mixed_float16", jit_compile=True),
    "float16_single_steps": in_precision("mixed_float16", compiled={"steps_per_execution": 1}),
    "bfloat16": in_precision("mixed_bfloat16"),
    "bfloat16_dreg": in_precision("mixed_bfloat16", lambda: make_vae(DReG(3))),
    "float64": in_precision("float64"),
}
