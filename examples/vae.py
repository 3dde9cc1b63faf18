"""A plain VAE that knows nothing of ganbench but its data, to be scored by `ganbench score`.

python examples/vae.py --out samples.npy
ganbench score samples.npy
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from ganbench.data.datasets import load
from ganbench.data.fetch import data_directory

HIDDEN, CODES, BATCH = 256, 16, 128


class VAE(nn.Module):
    """One hidden layer each way, normal codes, Bernoulli pixels."""

    def __init__(self, pixels: int) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(pixels, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 2 * CODES)
        )
        self.decoder = nn.Sequential(nn.Linear(CODES, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, pixels))

    def loss(self, x: Tensor) -> Tensor:
        """The negative evidence lower bound, nats per image."""
        mean, log_variance = self.encoder(x).chunk(2, dim=1)
        codes = mean + torch.randn_like(mean) * (log_variance / 2).exp()
        missed = binary_cross_entropy_with_logits(self.decoder(codes), x, reduction="sum")
        divergence = (mean.square() + log_variance.exp() - 1 - log_variance).sum() / 2
        return (missed + divergence) / len(x)


def train(images: Tensor, epochs: int) -> VAE:
    vae = VAE(images.shape[1])
    optimizer = torch.optim.Adam(vae.parameters(), lr=1e-3)
    for epoch in range(epochs):
        for index in torch.randperm(len(images)).split(BATCH):
            optimizer.zero_grad()
            loss = vae.loss(images[index])
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch + 1}: {loss.item():.1f} nats in the last batch", flush=True)
    return vae


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", default="mnist")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--out", type=Path, default=Path("samples.npy"))
    arguments = parser.parse_args()
    torch.manual_seed(0)
    data = load(arguments.dataset, data_directory(None))
    images = torch.from_numpy(data.train).flatten(1).float() / data.scale
    vae = train(images, arguments.epochs)
    with torch.no_grad():
        samples = vae.decoder(torch.randn(arguments.samples, CODES)).sigmoid()
    np.save(arguments.out, samples.numpy())


if __name__ == "__main__":
    main()
