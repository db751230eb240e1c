"""Variational mixture of posteriors (VampPrior)."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._arrays import plain_array
from tfvae._checks import whole_number
from tfvae._numerics import as_float
from tfvae._serialization import register
from tfvae.layers._coercion import as_distribution
from tfvae.layers._networks import find_kl_term, output_layer, sublayers
from tfvae.priors.prior import Prior
from tfvae.typing import Distribution, Shape, Tensor, TensorLike

tfd = tfp.distributions

# Margin that `adapt` keeps from the bounds of an activation, as a fraction of its range.
_MARGIN = 0.05


@register
class VampPrior(Prior):
    """Mixture (1/K) sum_k q(z|u_k) of the encoder's posteriors at K learned pseudo-inputs u_k.

    Pass it the encoder object of the model: `VAE(encoder, decoder, VampPrior(encoder, 50))`. The encoder's weights are
    then counted once, trained by both uses, and shared again in a loaded model. (For functional models, Keras'
    `clone_model` copies layer by layer, so the prior of the copy has a separate encoder.) The KL from a posterior has
    no closed form, so `SGVB` estimates it from draws.

    Args:
        encoder: Network from x to q(z|x). It must end in a distribution layer, and must not add a KL term, which would
            be added for the pseudo-inputs too.
        num_components: Number of components, K.
        input_shape: Shape of one x. None uses the input shape of the encoder, if it is known.
        activation: Activation that maps the weights to pseudo-inputs. The default None (linear) works for data of any
            range, because the bound is valid for arbitrary pseudo-inputs. "sigmoid" restricts them to pixels in [0, 1],
            so they can be displayed.
        initializer: Initializer of the weights, before the activation. Defaults to a normal with standard deviation
            0.5. To initialise them from data, call `adapt`.
        **kwargs: Arguments `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Raises:
        TypeError: If the encoder does not end in a distribution layer.
        ValueError: If the encoder adds a KL term, has more than one input, or has an input of unknown shape.

    Numerics:
        The encoder runs in inference mode on the pseudo-inputs, so the prior does not depend on dropout or batch
        statistics. Activity regularisers inside the encoder apply only to the data.

    References:
        Tomczak & Welling, VAE with a VampPrior, 2018, arXiv 1705.07120, section 3.
    """

    def __init__(
        self,
        encoder: keras.layers.Layer,
        num_components: int,
        input_shape: Shape | None = None,
        activation: Any = None,
        initializer: Any = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        kl_term = find_kl_term(encoder)
        if kl_term is not None:
            raise ValueError(
                "The encoder of a VampPrior must not add a KL term, because it would be added for the pseudo-inputs "
                "too. Remove it from the encoder: a VAE adds the KL itself, and in a functional keras.Model, add "
                "KLDivergenceAddLoss(VampPrior(encoder, ...)) after the encoder. "
                f"Received: an encoder whose layer '{kl_term[0].name}' has a {type(kl_term[1]).__name__}"
            )
        layer = output_layer(encoder, "encoder")
        self.encoder = encoder
        self.num_components = whole_number(num_components, "num_components")
        self._input_shape = None if input_shape is None else tuple(whole_number(n, "input_shape") for n in input_shape)
        self.activation = keras.activations.get(activation)
        self.initializer = keras.initializers.get(initializer or keras.initializers.RandomNormal(stddev=0.5))
        self._event_shape = None if layer is None else layer.event_shape
        if self._known_input_shape() is not None:
            self.build()

    def _known_input_shape(self) -> tuple[int, ...] | None:
        inputs = getattr(self.encoder, "inputs", None) or []
        if len(inputs) > 1:
            raise ValueError(
                "The encoder of a VampPrior must have one input. "
                f"Received: an encoder '{self.encoder.name}' with {len(inputs)} inputs"
            )
        shape = self._input_shape or (tuple(inputs[0].shape[1:]) if inputs else None)
        return None if shape is None or None in shape else shape

    def build(self, input_shape: Any = None) -> None:
        shape = self._known_input_shape()
        if shape is None:
            raise ValueError(
                "The input shape of the encoder is unknown, so VampPrior cannot create pseudo-inputs. Set "
                "input_shape=(...) without the batch axis, or use an encoder that begins with keras.Input((...)). "
                f"Received: input_shape={self._input_shape}"
            )
        if not self.encoder.built:
            self.encoder(keras.KerasTensor((None, *shape), dtype=self.variable_dtype))
        self.pseudo_input_weights = self.add_weight(
            name="pseudo_inputs", shape=(self.num_components, *shape), initializer=self.initializer, autocast=False
        )
        if self._event_shape is None:  # a subclassed encoder must be called to infer it
            trace = tf.function(lambda: self._posterior().event_shape_tensor(), autograph=False)
            self._event_shape = tuple(tf.get_static_value(trace.get_concrete_function().outputs[0]).tolist())
        self.built = True

    @property
    def event_shape(self) -> tuple[int, ...]:
        if self._event_shape is None:
            self.build()
        return tuple(self._event_shape or ())

    def pseudo_inputs(self) -> Tensor:
        """Returns the pseudo-inputs u `[K, *input_shape]`."""
        return self.activation(as_float(self.pseudo_input_weights))

    def distribution(self) -> Distribution:
        if not self.built:
            self.build()
        posterior = self._posterior()
        uniform = tfd.Categorical(logits=tf.zeros([self.num_components], posterior.dtype))
        return tfd.MixtureSameFamily(uniform, posterior, name="prior")

    def _posterior(self) -> Distribution:
        """Returns q(z|u), of batch shape `[K]`."""
        # The call would clear the losses that the encoder's layers added for the data, or add losses for the
        # pseudo-inputs. Restoring the losses prevents both.
        saved_losses = [(layer, list(layer._losses)) for layer in sublayers(self.encoder)]
        posterior = as_distribution(self.encoder(self.pseudo_inputs(), training=False))
        for layer, losses in saved_losses:
            layer._losses[:] = losses
        return posterior

    def adapt(self, data: TensorLike, *, seed: int | None = None) -> None:
        """Sets the pseudo-inputs to K examples of `data` `[N, *input_shape]`, drawn without replacement.

        Call it before training. The examples become weights and are not part of the saved configuration. For a bounded
        activation, values within five percent of the bounds are moved inside, where the activation has a gradient.

        Args:
            data: Floating-point array with at least K examples, such as `splits.train.x` or one batch.
            seed: Integer seed of the choice of examples. None draws a random seed.

        Raises:
            ValueError: If the data are integers, have too few examples or another shape, or if the activation is not
                None, "sigmoid" or "tanh", so its inverse is unknown.
        """
        data = plain_array(data, "data")
        if not self.built and self._known_input_shape() is None:
            self._input_shape = data.shape[1:]
        if not self.built:
            self.build()
        shape = tuple(self.pseudo_input_weights.shape)
        if data.dtype.kind != "f" or data.shape[1:] != shape[1:] or len(data) < self.num_components:
            raise ValueError(
                f"`data` must have at least {shape[0]} floating-point examples of shape {shape[1:]}. "
                f"Received: data of shape {data.shape} and dtype {data.dtype}"
            )
        rows = np.random.default_rng(seed).choice(len(data), self.num_components, replace=False)
        self.pseudo_input_weights.assign(self._before_activation(data[rows]))

    def _before_activation(self, values: np.ndarray) -> np.ndarray:
        if self.activation is keras.activations.linear:
            return values
        if self.activation is keras.activations.sigmoid:
            values = np.clip(values, _MARGIN, 1.0 - _MARGIN)
            return np.log(values) - np.log1p(-values)
        if self.activation is keras.activations.tanh:
            return np.arctanh(np.clip(values, -1.0 + 2.0 * _MARGIN, 1.0 - 2.0 * _MARGIN))
        raise ValueError(
            "`adapt` needs the inverse of the activation, which must be None, 'sigmoid' or 'tanh'. For other "
            "activations, set the weights with pseudo_input_weights.assign(...). "
            f"Received: activation={self.activation}"
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "encoder": keras.saving.serialize_keras_object(self.encoder),
            "num_components": self.num_components,
            "input_shape": self._input_shape,
            "activation": keras.activations.serialize(self.activation),
            "initializer": keras.initializers.serialize(self.initializer),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "VampPrior":
        encoder = config["encoder"]
        if isinstance(encoder, str):
            raise ValueError(
                "This VampPrior was saved inside a VAE and cannot be loaded separately. Load the whole model instead. "
                f"Received: encoder={encoder!r}"
            )
        if not isinstance(encoder, keras.layers.Layer):  # a VAE passes its own encoder as a layer
            encoder = keras.saving.deserialize_keras_object(encoder)
        return cls(**{**config, "encoder": encoder})
