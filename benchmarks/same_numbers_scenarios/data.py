"""`VAE.fit`, `evaluate` and `predict` with every form of data."""

import keras
import numpy as np
import tensorflow as tf

import tfvae
from same_numbers_scenarios.parts import (
    BATCH_SIZE,
    GRAY,
    LABELS,
    NUM_EXAMPLES,
    WEIGHTS,
    X,
    fit,
    fitting,
    flat,
    make_vae,
    trained,
)
from tfvae.data import Split
from tfvae.estimators import ImportanceWeighted
from tfvae.layers import IndependentBernoulli


class Batches(keras.utils.PyDataset):
    """Batches `(x, y, sample_weight)`."""

    def __len__(self):
        return -(-NUM_EXAMPLES // BATCH_SIZE)

    def __getitem__(self, i):
        rows = slice(BATCH_SIZE * i, BATCH_SIZE * (i + 1))
        return X[rows], X[rows], WEIGHTS[rows]


def slices(parts):
    """A `tf.data` data set of batches."""
    return tf.data.Dataset.from_tensor_slices(parts).batch(BATCH_SIZE)


def on(make_data, estimator=None, **kwargs):
    """The scenario of a fit on what `make_data()` returns."""
    return lambda folder: fit(make_vae(estimator), make_data(), **kwargs)


def split(**options):
    """The scenario of a fit on batches of gray images, shuffled."""
    labels = LABELS if options.get("labels") else None
    return on(lambda: Split(GRAY, labels, num_levels=17).batches(BATCH_SIZE, shuffle=True, seed=3, **options))


def repeated(folder):
    """Steps that go round the data, in the middle of which validation is on batches."""
    batches = Split(GRAY, num_levels=17).batches(BATCH_SIZE, shuffle=True, seed=3, binarize="dynamic")
    return fit(make_vae(), batches.repeat(), steps_per_epoch=7, validation_data=slices(X[:20]))


def shards(folder):
    """Data on disk, shuffled and binarised."""
    tfvae.data.write_shards({"train": Split(GRAY, LABELS, num_levels=17)}, folder / "shards", shard_size=10)
    data = tfvae.data.load(folder / "shards").train
    read = np.concatenate(list(data.batches(BATCH_SIZE).as_numpy_iterator()))
    likelihood = IndependentBernoulli(data.event_shape)  # images have an axis of channels on disk
    vae = make_vae(decoder=keras.Sequential([keras.layers.Dense(read[0].size), likelihood]))
    return {"read": read, **fit(vae, data.batches(BATCH_SIZE, shuffle=True, seed=3, binarize="dynamic"))}


def passes(folder):
    """What batches hold, for each way to draw them, in two passes."""
    data, found = Split(GRAY, LABELS, num_levels=17), {}
    for name, options in {
        "gray": {},
        "shuffled": {"shuffle": True, "labels": True},
        "dynamic": {"shuffle": True, "binarize": "dynamic"},
        "static": {"binarize": "static"},
        "dequantized": {"dequantize": True},
    }.items():
        batches = data.batches(BATCH_SIZE, seed=5, **options)
        for i in range(2):
            for j, batch in enumerate(batches.as_numpy_iterator()):
                found |= {f"{name}/{i}/{j}/{part}": array for part, array in enumerate(batch if isinstance(batch, tuple)
                          else [batch])}  # fmt: skip
    found |= {"binarized": data.binarized(1).x, "dequantized": data.dequantized(1).x, "cut": data.thresholded().x}
    digits = tfvae.data.load("digits")
    return found | {f"digits/{name}": getattr(digits, name).x for name in ("train", "test")}


def evaluated(folder):
    """Metrics and predictions of a model that is not trained."""
    vae = make_vae(ImportanceWeighted(3))
    vae.compile(jit_compile=False)
    found = {
        "arrays": vae.evaluate(X, batch_size=BATCH_SIZE, verbose=0, return_dict=True),
        "pairs": vae.evaluate(slices((X, X)), verbose=0, return_dict=True),
        "weights": vae.evaluate(X, batch_size=BATCH_SIZE, sample_weight=WEIGHTS, verbose=0, return_dict=True),
    }
    return {**flat(found), "predicted": vae.predict(X, batch_size=BATCH_SIZE, verbose=0), **trained(vae)}


SCENARIOS = {
    "arrays_in_order": fitting(make_vae, shuffle=False),
    "sample_weights": fitting(make_vae, sample_weight=WEIGHTS, validation_data=(X[:9], X[:9], WEIGHTS[:9])),
    "validation_split": fitting(make_vae, validation_split=0.25, validation_batch_size=4),
    "class_labels": lambda folder: fit(make_vae(), X, y=LABELS),
    "pairs": on(lambda: slices((X, LABELS)), validation_data=slices((X[:9], LABELS[:9]))),
    "triples": on(lambda: slices((X, X, WEIGHTS))),
    "dictionaries": on(lambda: slices({"image": X, "label": LABELS})),
    "py_dataset": on(lambda: Batches(workers=1), shuffle=False),
    "gray_levels": split(),
    "dynamic_binarization": split(binarize="dynamic"),
    "static_binarization": split(binarize="static"),
    "dropped_remainder": split(binarize="dynamic", drop_remainder=True),
    "split_with_labels": split(labels=True),
    "repeated": repeated,
    "shards": shards,
    "passes": passes,
    "evaluated": evaluated,
}
