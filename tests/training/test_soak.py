"""A long training on an endless stream: memory stays flat, and each function is traced once."""

import json
import subprocess
import sys

import pytest

SOAK = """
import json, os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras, tensorflow as tf, tfvae

num_steps = int(sys.argv[1])

def resident():
    with open("/proc/self/status") as file:
        return 1024 * next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))

traces = {}

class Counted(tfvae.models.VAE):
    def train_step(self, data):
        traces["train"] = traces.get("train", 0) + 1
        return super().train_step(data)

    def test_step(self, data):
        traces["test"] = traces.get("test", 0) + 1
        return super().test_step(data)

class Watch(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.memory = []

    def on_epoch_end(self, epoch, logs=None):
        self.memory.append(resident())

keras.utils.set_random_seed(0)
encoder = keras.Sequential(
    [
        keras.layers.Flatten(),
        keras.layers.Dense(8, "tanh"),
        keras.layers.Dense(tfvae.layers.MultivariateNormalDiag.params_size(2)),
        tfvae.layers.MultivariateNormalDiag(2),
    ]
)
likelihood = tfvae.layers.IndependentBernoulli((4, 3, 1))
decoder = keras.Sequential([keras.layers.Dense(12, "tanh"), keras.layers.Dense(12), likelihood])
vae = Counted(encoder, decoder, seed=0)
vae.compile(keras.optimizers.Adam(1e-3))
stream = tf.data.Dataset.random(seed=1).batch(12, drop_remainder=True)
stream = stream.map(lambda bits: tf.reshape(tf.cast(bits % 2, tf.float32), (4, 3, 1))).batch(16, drop_remainder=True)
watch = Watch()
# A schedule of beta, a stop on what is not finite and summaries: what a long run has.
callbacks = [
    watch,
    tfvae.callbacks.StopOnNonFinite(),
    tfvae.callbacks.BetaSchedule(tfvae.callbacks.LinearWarmUp(num_steps=num_steps // 2)),
    tfvae.callbacks.VAETensorBoard(sys.argv[2]),
]
vae.fit(
    stream,
    steps_per_epoch=num_steps // 20,
    epochs=20,
    validation_data=stream,
    validation_steps=10,
    verbose=0,
    callbacks=callbacks,
)
assert int(vae.optimizer.iterations) == num_steps
for name in ("train", "test"):
    loop = getattr(vae, f"{name}_function")
    for part in ("_run", "_collect", "_step"):
        traces[name + part] = getattr(loop, part).experimental_get_tracing_count()
print(json.dumps({"memory": watch.memory, "traces": traces}))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.slow
@pytest.mark.parametrize("num_steps", [200_000])
def test_memory_is_flat_and_nothing_is_traced_again(num_steps, tmp_path):
    result = subprocess.run(
        [sys.executable, "-c", SOAK, str(num_steps), str(tmp_path)], capture_output=True, text=True, timeout=3000
    )
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout.splitlines()[-1])
    assert set(found["traces"].values()) == {1}, found["traces"]
    settled = found["memory"][4]
    assert max(found["memory"][4:]) <= 1.02 * settled, found["memory"]
