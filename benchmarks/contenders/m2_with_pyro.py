"""M2 by Pyro, trained as its example of semi-supervised learning is.

Two `SVI` steps for each batch: `TraceEnum_ELBO` with the label enumerated in parallel, and the loss of the classifier.
A batch has either labelled or unlabelled images.
"""

import pyro
import torch
from pyro import distributions as dist
from pyro.infer import SVI, Trace_ELBO, TraceEnum_ELBO, config_enumerate
from pyro.optim import Adam
from torch import nn


class _Networks(nn.Module):
    def __init__(self, work):
        super().__init__()
        hidden, size, classes = work.hidden, work.latent_size, work.num_classes
        self.of_y = nn.Sequential(nn.Linear(784, hidden), nn.Softplus(), nn.Linear(hidden, classes), nn.Softmax(-1))
        self.hidden_z = nn.Sequential(nn.Linear(784 + classes, hidden), nn.Softplus())
        self.loc, self.log_scale = nn.Linear(hidden, size), nn.Linear(hidden, size)
        self.decoder = nn.Sequential(
            nn.Linear(size + classes, hidden), nn.Softplus(), nn.Linear(hidden, 784), nn.Sigmoid()
        )

    def of_z(self, x, y):
        """Mean and standard deviation of q(z|x, y), for y with leading axes of its own."""
        x = x.expand(*y.shape[:-1], -1)
        hidden = self.hidden_z(torch.cat([x, y], -1))
        return self.loc(hidden), self.log_scale(hidden).exp()


class _M2:
    def __init__(self, work):
        self.networks, self.work = _Networks(work), work

    def model(self, x, y=None):
        """p(y) p(z) p(x|y, z)."""
        pyro.module("m2", self.networks)
        work = self.work
        with pyro.plate("images", len(x)):
            z = pyro.sample("z", dist.Normal(x.new_zeros(len(x), work.latent_size), 1.0).to_event(1))
            probs = x.new_full((len(x), work.num_classes), 1.0 / work.num_classes)
            y = pyro.sample("y", dist.OneHotCategorical(probs), obs=y)
            z, y = z.expand(*y.shape[:-1], -1), y.expand(*z.shape[:-1], -1)
            means = self.networks.decoder(torch.cat([z, y], -1))
            pyro.sample("x", dist.Bernoulli(means, validate_args=False).to_event(1), obs=x)

    def guide(self, x, y=None):
        """q(y|x) q(z|x, y)."""
        with pyro.plate("images", len(x)):
            if y is None:
                y = pyro.sample("y", dist.OneHotCategorical(self.networks.of_y(x)))
            pyro.sample("z", dist.Normal(*self.networks.of_z(x, y)).to_event(1))

    def classifier_model(self, x, y=None):
        """The weighted log q(y|x) of labels."""
        pyro.module("m2", self.networks)
        with pyro.plate("images", len(x)):
            if y is not None:
                with pyro.poutine.scale(scale=self.work.classification_weight):
                    pyro.sample("y", dist.OneHotCategorical(self.networks.of_y(x)), obs=y)

    def classifier_guide(self, x, y=None):
        """Nothing is drawn."""


def fit(x, labels, work):
    """Steps over shuffled batches, as many with labels as the labels fill."""
    torch.manual_seed(0)
    pyro.clear_param_store()
    m2 = _M2(work)
    optimizer = Adam({"lr": work.learning_rate, "betas": (0.9, 0.999)})
    guide = config_enumerate(m2.guide, "parallel", expand=True)
    losses = [
        SVI(m2.model, guide, optimizer, loss=TraceEnum_ELBO(max_plate_nesting=1)),
        SVI(m2.classifier_model, m2.classifier_guide, optimizer, loss=Trace_ELBO()),
    ]
    images, labels = torch.from_numpy(x), torch.from_numpy(labels)
    with_label, without = torch.where(labels >= 0)[0], torch.where(labels < 0)[0]
    one_hot = torch.nn.functional.one_hot(labels.clamp(min=0), work.num_classes).to(images.dtype)

    def run(epochs):
        for _ in range(epochs):
            total = 0.0
            for rows, is_labelled in ((with_label, True), (without, False)):
                for batch in rows[torch.randperm(len(rows))].split(work.batch_size):
                    arguments = (images[batch], one_hot[batch]) if is_labelled else (images[batch],)
                    values = [loss.step(*arguments) for loss in losses]
                    total -= values[0]
        return total / len(images)

    return run
