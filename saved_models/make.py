"""Trains the small VAE that ships in `digits_vae/1` beside this script and exports it there: `make saved-models`."""

from pathlib import Path

import keras

import tfvae

TARGET = Path(__file__).parent / "digits_vae" / "1"
EPOCHS = 300
LATENT_SIZE = 8
HIDDEN_SIZE = 200


def make_vae(event_shape: tuple[int, ...]) -> tfvae.models.VAE:
    """The paper's networks (Kingma & Welling 2013, appendix C), smaller."""
    posterior, likelihood = tfvae.layers.MultivariateNormalDiag, tfvae.layers.IndependentBernoulli
    encoder = keras.Sequential(
        [
            keras.layers.Flatten(),
            keras.layers.Dense(HIDDEN_SIZE, activation="tanh"),
            keras.layers.Dense(posterior.params_size(LATENT_SIZE)),
            posterior(LATENT_SIZE),
        ]
    )
    decoder = keras.Sequential(
        [
            keras.layers.Dense(HIDDEN_SIZE, activation="tanh"),
            keras.layers.Dense(likelihood.params_size(event_shape)),
            likelihood(event_shape),
        ]
    )
    return tfvae.models.VAE(encoder, decoder, prior=tfvae.priors.StandardNormal(LATENT_SIZE), seed=0)


def main() -> None:
    """Trains, says how good the model is on unseen digits, exports."""
    keras.utils.set_random_seed(0)
    splits = tfvae.data.load("digits")
    vae = make_vae(splits.event_shape)
    vae.compile(keras.optimizers.Adam(1e-3))
    vae.fit(splits.train.batches(100, shuffle=True, binarize="dynamic", seed=0), epochs=EPOCHS, verbose=0)
    # One fixed binarisation, so that the numbers can be compared with the next model's.
    test = splits.test.binarized(seed=0)
    elbo = tfvae.evaluation.elbo(vae, test, num_samples=20)
    log_marginal = tfvae.evaluation.log_marginal(vae, test, num_importance_samples=500)
    print(f"test {elbo}\ntest {log_marginal}")
    about = {
        "data": {"name": splits.name, "binarize": "dynamic"},
        "note": "Levels 0 to 16, divided by 16, are drawn as zeros and ones: in training anew in each epoch, for the "
        "bounds once.",
        "split": splits.test.name,
        **{record.name: record.to_dict() for record in (elbo, log_marginal)},
    }
    path = tfvae.export.save(vae, TARGET, overwrite=True, about=about)
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    print(f"exported to {path.relative_to(TARGET.parents[2])}, {size / 2**20:.2f} MiB")


if __name__ == "__main__":
    main()
