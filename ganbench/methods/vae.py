"""Variational autoencoder: a decoder of normal codes, trained through a bound with an encoder.

Source: Kingma and Welling 2014. For an image x the encoder gives the mean m and the log-variance v
of a normal code z; the loss is the negative of the bound on log p(x),

    cross-entropy of decoder(z) against x + KL(N(m, exp v) || N(0, I)).

Grey levels count as probabilities of Bernoulli pixels.
Deviations: D23.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from ganbench.config.methods.vae import Vae as Settings
from ganbench.methods.base import Method
from ganbench.methods.counters import Counters
from ganbench.methods.perceptrons import adam, adam_tensors, named, perceptron


class Vae(Method[Settings]):
    """Encoder, decoder and Adam's moments."""

    losses = ("cross_entropy", "kl")

    def __init__(
        self, recipe: Settings, means: Float[Tensor, " d"], stream: torch.Generator
    ) -> None:
        super().__init__(recipe, means, stream)
        pixels, hidden, code = len(means), recipe.hidden, recipe.code
        encoder = perceptron((pixels, *hidden, 2 * code), "linear", stream)
        decoder = perceptron((code, *reversed(hidden), pixels), "linear", stream)
        self.encoder, self.decoder = encoder.to(self.device), decoder.to(self.device)
        self.parameters = named({"encoder": self.encoder, "decoder": self.decoder})
        self.optimizer = adam(self.parameters, recipe.learning_rate)

    def weights(self) -> dict[str, Tensor]:
        """Returns the decoder's."""
        return dict(named({"decoder": self.decoder}))

    def tensors(self) -> dict[str, Tensor]:
        """Returns both networks and Adam's moments."""
        return {**self.parameters, **adam_tensors("adam", self.optimizer, self.parameters)}

    def rates(self, counters: Counters) -> tuple[float, float]:
        """Returns Adam's learning rate and first beta, which are constant."""
        return self.recipe.learning_rate, self.optimizer.param_groups[0]["betas"][0]

    def update(
        self, rows: Float[Tensor, "n d"], counters: Counters, stream: torch.Generator
    ) -> dict[str, Tensor]:
        """Makes the next update; both losses are nats per image."""
        noise = self._noise(len(rows), stream)
        cross_entropy, kl = self.negative_bound(rows, noise)
        self.optimizer.zero_grad()
        (cross_entropy + kl).backward()
        self.optimizer.step()
        return {"cross_entropy": cross_entropy.detach(), "kl": kl.detach()}

    def negative_bound(
        self, rows: Float[Tensor, "n d"], noise: Float[Tensor, "n z"]
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """Returns the two terms of the loss, means over the images, nats.

        Args:
            rows: images.
            noise: standard normal; one draw of the code of each image.
        """
        mean, log_variance = self.encoder(rows).chunk(2, dim=1)
        logits = self.decoder(mean + (log_variance / 2).exp() * noise)
        cross_entropy = functional.binary_cross_entropy_with_logits(logits, rows, reduction="sum")
        kl = (log_variance.exp() + mean.square() - 1 - log_variance).sum() / 2
        return cross_entropy / len(rows), kl / len(rows)

    @torch.no_grad()
    def sample(
        self, count: int, stream: torch.Generator, train: Float[Tensor, "n d"], way: None = None
    ) -> Float[Tensor, "count d"]:
        """Returns means of the pixels for codes from the prior; `train` and `way` are not used."""
        return self.decoder(self._noise(count, stream)).sigmoid()

    def _noise(self, count: int, stream: torch.Generator) -> Float[Tensor, "n z"]:
        return torch.randn(count, self.recipe.code, generator=stream).to(self.device)


METHOD = Vae
