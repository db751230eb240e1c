"""The one check that Keras runs on TensorFlow; every package that uses Keras imports it first."""

import keras

if keras.backend.backend() != "tensorflow":
    raise ImportError(
        f"tfvae needs Keras on TensorFlow, but Keras was imported with the {keras.backend.backend()!r} backend. "
        "Set the environment variable KERAS_BACKEND=tensorflow before Keras is first imported."
    )
