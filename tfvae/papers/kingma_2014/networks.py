"""Networks of the models M1 and M2."""

import keras

from tfvae import layers, networks
from tfvae.estimators import Enumerated
from tfvae.models import VAE
from tfvae.papers.kingma_2014.augmentation import augmentation
from tfvae.papers.kingma_2014.data_sets import NUM_CLASSES
from tfvae.recipes import m2

IMAGE_SHAPE = (28, 28, 1)
M1_LATENT_SIZE, M1_HIDDEN, M1_BETA = 50, (600, 600), 0.2
LATENT_SIZE = 20  # of M2 and of the second model
M2_HIDDEN = 200  # of encoder and decoder of M2
STACKED_HIDDEN = 300  # of encoder and decoder of the second model
FILTERS, IMAGE_FEATURES, IMAGE_DROPOUT = (16, 32), 128, 0.4  # of q(y|x) of images
CLASSIFIER_HIDDEN, DROPOUT = (300, 300), 0.2  # of q(y|x) of latents
CLASSIFICATION_WEIGHT = 10.0
ACTIVATION = "relu"


def m1_of_images(seed: int) -> VAE:
    """Builds M1: 50 latents, and two hidden layers in encoder and decoder.

    With the weight 0.2 of the KL, the latents keep more of the structure of the images than those of a VAE whose
    aggregate posterior is already a standard normal, and leave more to the second model.
    """
    keras.utils.set_random_seed(seed)
    likelihood, posterior = layers.IndependentBernoulli, layers.MultivariateNormalDiag
    encoder = networks.mlp(posterior.params_size(M1_LATENT_SIZE), M1_HIDDEN, ACTIVATION)
    decoder = networks.mlp(likelihood.params_size(IMAGE_SHAPE), M1_HIDDEN[::-1], ACTIVATION)
    return VAE(
        keras.Sequential([keras.Input(IMAGE_SHAPE), encoder, posterior(M1_LATENT_SIZE)]),
        keras.Sequential([keras.Input((M1_LATENT_SIZE,)), decoder, likelihood(IMAGE_SHAPE)]),
        beta=M1_BETA,
        seed=seed,
    )


def m2_of_latents(seed: int) -> VAE:
    """Builds the second model of M1+M2, an M2 of the latents of M1."""
    keras.utils.set_random_seed(seed)
    normal = layers.MultivariateNormalDiag
    return m2(
        event_shape=(M1_LATENT_SIZE,),
        num_classes=NUM_CLASSES,
        classifier=classifier_of_latents(),
        encoder=networks.mlp(normal.params_size(LATENT_SIZE), (STACKED_HIDDEN,), ACTIVATION),
        posterior=normal(LATENT_SIZE),
        decoder=networks.mlp(normal.params_size(M1_LATENT_SIZE), (STACKED_HIDDEN,), ACTIVATION),
        likelihood=normal(M1_LATENT_SIZE),
        estimator=Enumerated(classification_weight=CLASSIFICATION_WEIGHT),
        seed=seed,
    )


def m2_of_images(seed: int) -> VAE:
    """Builds M2. The product of x with the first weights of q(z|x, y) is computed once for all classes."""
    keras.utils.set_random_seed(seed)
    likelihood, posterior = layers.IndependentBernoulli, layers.MultivariateNormalDiag
    x = keras.Input(IMAGE_SHAPE)
    of_x = keras.layers.Dense(M2_HIDDEN, name="of_x")(keras.layers.Flatten()(x))
    features = keras.Model(x, keras.layers.Concatenate()([features_of_images()(x), of_x]))
    h = keras.Input((IMAGE_FEATURES + M2_HIDDEN,), name="inputs")
    logits = keras.Model(h, keras.layers.Dense(NUM_CLASSES)(h[:, :IMAGE_FEATURES]))
    y = keras.Input((NUM_CLASSES,), name="y")
    of_label = keras.layers.Dense(M2_HIDDEN, use_bias=False, name="of_y")(y)
    hidden = keras.layers.Activation(ACTIVATION)(keras.layers.Add()([h[:, IMAGE_FEATURES:], of_label]))
    parameters = keras.layers.Dense(posterior.params_size(LATENT_SIZE), name="of_hidden")(hidden)
    return m2(
        event_shape=IMAGE_SHAPE,
        num_classes=NUM_CLASSES,
        features=features,
        classifier=logits,
        encoder=keras.Model({"inputs": h, "y": y}, parameters),
        posterior=posterior(LATENT_SIZE),
        decoder=networks.mlp(likelihood.params_size(IMAGE_SHAPE), (M2_HIDDEN,), ACTIVATION),
        likelihood=likelihood(IMAGE_SHAPE),
        estimator=Enumerated(classification_weight=CLASSIFICATION_WEIGHT),
        seed=seed,
    )


def classifier_of_images(seed: int) -> keras.Sequential:
    """Builds q(y|x) of M2 on its own, which learns from the labelled images alone."""
    keras.utils.set_random_seed(seed)
    return keras.Sequential([keras.Input(IMAGE_SHAPE), features_of_images(), keras.layers.Dense(NUM_CLASSES)])


def features_of_images() -> keras.Sequential:
    """Builds q(y|x) of images but for its last layer. In training it sees images that are changed at random."""
    return keras.Sequential(
        [
            augmentation(),
            networks.conv_encoder(IMAGE_FEATURES, FILTERS, ACTIVATION),
            keras.layers.Activation(ACTIVATION),
            keras.layers.Dropout(IMAGE_DROPOUT),
        ]
    )


def classifier_of_latents() -> keras.Sequential:
    """Builds the logits of q(y|z1) of the second model of M1+M2."""
    hidden: list[keras.layers.Layer] = []
    for size in CLASSIFIER_HIDDEN:
        hidden += [keras.layers.Dense(size, activation=ACTIVATION), keras.layers.Dropout(DROPOUT)]
    return keras.Sequential([*hidden, keras.layers.Dense(NUM_CLASSES)])
