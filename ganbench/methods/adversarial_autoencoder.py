"""Adversarial autoencoder: codes of images are made normal by a critic that sees codes only.

Source: Makhzani, Shlens, Jaitly, Goodfellow and Frey 2015. An update has three steps on one
minibatch: encoder and decoder reconstruct the images; the critic learns to tell draws from the
prior from codes; the encoder learns to be taken for the prior. The critic is
the GAN's discriminator, with codes in place of images.
Deviations: D24.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from ganbench.config.methods.adversarial_autoencoder import AdversarialAutoencoder as Settings
from ganbench.methods.base import Method
from ganbench.methods.counters import Counters
from ganbench.methods.perceptrons import adam, adam_tensors, named, perceptron


class AdversarialAutoencoder(Method[Settings]):
    """Encoder, decoder, critic, and the moments of the three steps."""

    losses = ("squared_error", "critic_loss", "encoder_loss")

    def __init__(
        self, recipe: Settings, means: Float[Tensor, " d"], stream: torch.Generator
    ) -> None:
        super().__init__(recipe, means, stream)
        pixels, hidden, code = len(means), recipe.hidden, recipe.code
        encoder = perceptron((pixels, *hidden, code), "linear", stream)
        decoder = perceptron((code, *reversed(hidden), pixels), "sigmoid", stream)
        critic = perceptron((code, *hidden, 1), "linear", stream)
        self.encoder, self.decoder = encoder.to(self.device), decoder.to(self.device)
        self.critic = critic.to(self.device)
        networks = {"encoder": self.encoder, "decoder": self.decoder, "critic": self.critic}
        self.parameters = named(networks)
        # The encoder takes part in two steps, each with moments of its own.
        rate, beta1 = recipe.adversarial_rate, recipe.beta1
        autoencoder = named({"encoder": self.encoder, "decoder": self.decoder})
        self.moved = {
            "reconstruction": autoencoder,
            "criticism": named({"critic": self.critic}),
            "regularisation": named({"encoder": self.encoder}),
        }
        self.optimizers = {
            "reconstruction": adam(self.moved["reconstruction"], recipe.learning_rate),
            "criticism": adam(self.moved["criticism"], rate, beta1),
            "regularisation": adam(self.moved["regularisation"], rate, beta1),
        }

    def weights(self) -> dict[str, Tensor]:
        """Returns the decoder's."""
        return dict(named({"decoder": self.decoder}))

    def tensors(self) -> dict[str, Tensor]:
        """Returns the three networks and the moments of the three steps."""
        states: dict[str, Tensor] = {}
        for step, optimizer in self.optimizers.items():
            states |= adam_tensors(step, optimizer, self.moved[step])
        return {**self.parameters, **states}

    def rates(self, counters: Counters) -> tuple[float, float]:
        """Returns the reconstruction's learning rate and first beta, which are constant."""
        betas = self.optimizers["reconstruction"].param_groups[0]["betas"]
        return self.recipe.learning_rate, betas[0]

    def update(
        self, rows: Float[Tensor, "n d"], counters: Counters, stream: torch.Generator
    ) -> dict[str, Tensor]:
        """Makes the three steps; losses are means over pixels, or over codes in nats."""
        prior, seen_prior, seen_code, seen_again = (
            self._normal(len(rows), stream) for _ in range(4)
        )
        squared_error = functional.mse_loss(self.decoder(self.encoder(rows)), rows)
        self._step("reconstruction", squared_error)

        # The critic's step leaves the encoder alone, so one pass serves both steps.
        code, scale = self.encoder(rows), self.recipe.critic_noise
        real = self.critic(prior + scale * seen_prior)
        fake = self.critic(code.detach() + scale * seen_code)
        critic_loss = functional.softplus(-real).mean() + functional.softplus(fake).mean()
        self._step("criticism", critic_loss)

        taken = self.critic(code + scale * seen_again)
        encoder_loss = functional.softplus(-taken).mean()
        self._step("regularisation", encoder_loss)
        return {
            "squared_error": squared_error.detach(),
            "critic_loss": critic_loss.detach(),
            "encoder_loss": encoder_loss.detach(),
        }

    def _step(self, name: str, loss: Float[Tensor, ""]) -> None:
        """Moves the parameters of one step, and no others, along their gradients."""
        parameters = list(self.moved[name].values())
        gradients = torch.autograd.grad(loss, parameters)
        for value, gradient in zip(parameters, gradients, strict=True):
            value.grad = gradient
        self.optimizers[name].step()

    @torch.no_grad()
    def sample(
        self, count: int, stream: torch.Generator, train: Float[Tensor, "n d"], way: None = None
    ) -> Float[Tensor, "count d"]:
        """Returns what codes from the prior decode to; `train` and `way` are not used."""
        return self.decoder(self._normal(count, stream))

    def _normal(self, count: int, stream: torch.Generator) -> Float[Tensor, "n z"]:
        return torch.randn(count, self.recipe.code, generator=stream).to(self.device)


METHOD = AdversarialAutoencoder
