"""An adversarial autoencoder, as a newcomer writes it: a discriminator of z with an optimizer of its own."""

import keras
import tensorflow_probability as tfp
from small_models import random_bits, small_vae

import tfvae
from tfvae.models import Loss, Update


@keras.saving.register_keras_serializable("newcomer")
class Adversarial:
    """The aggregated posterior learns to pass for the prior (Makhzani et al. 2015, arXiv 1511.05644)."""

    metric_names = ("elbo", "log_likelihood", "kl")

    def __init__(self, discriminator):
        self.discriminator, self.layers = discriminator, [discriminator]

    def build(self, x_shape, latent_shape):
        self.discriminator.build((None, *latent_shape))

    def variables(self, model):
        return {"model": model.network_variables, "discriminator": self.discriminator.trainable_variables}

    def updates(self, model, batch, *, training, seed):
        seed, seed_q, seed_p = tfp.random.split_seed(seed, 3)

        def posterior_logits():
            return self.discriminator(model.infer(batch.x, training=training).sample(seed=seed_q))[:, 0]

        def pass_for_the_prior():
            loss = Loss.of_estimate(model.estimate(batch, training=training, seed=seed))
            return loss._replace(values=loss.values + keras.ops.softplus(-posterior_logits()))

        def tell_apart():
            drawn = model.prior.distribution().sample(batch.size, seed=seed_p)
            q, p = posterior_logits(), self.discriminator(drawn)[:, 0]
            accuracy = (keras.ops.cast(q < 0, q.dtype) + keras.ops.cast(p > 0, q.dtype)) / 2
            return Loss(keras.ops.softplus(q) + keras.ops.softplus(-p), {"accuracy": accuracy})

        return [Update("model", pass_for_the_prior), Update("discriminator", tell_apart)]

    def get_config(self):
        return {"discriminator": keras.saving.serialize_keras_object(self.discriminator)}

    @classmethod
    def from_config(cls, config):
        return cls(keras.saving.deserialize_keras_object(config["discriminator"]))


def test_it_trains_and_is_saved(tmp_path):
    vae, x = small_vae(objective=Adversarial(keras.Sequential([keras.layers.Dense(1)]))), random_bits(8, (4, 2))
    vae.compile({"model": "adam", "discriminator": keras.optimizers.SGD(0.1, momentum=0.9)}, jit_compile=False)
    history = vae.fit(x, batch_size=4, epochs=1, verbose=0, shuffle=False).history
    assert {"loss", "discriminator_loss", "accuracy", "elbo"} <= set(history)
    vae.save(tmp_path / "vae.keras")
    both = (vae, tfvae.load_model(tmp_path / "vae.keras"))  # with slots, seeds and all
    first, second = (model.fit(x, batch_size=4, verbose=0, shuffle=False).history for model in both)
    assert first == second
