"""Generative moment matching network: a generator whose samples are moved by MMD alone.

Source: Li, Swersky and Zemel 2015 and their released code. There is no second network; a minibatch
of images and as many fresh samples give sqrt(MMD^2), of which the generator takes the gradient.
Deviations: D22.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from ganbench import models
from ganbench.config.methods import Gmmn
from ganbench.methods.base import Method
from ganbench.methods.counters import Counters
from ganbench.methods.mmd import squared_mmd


class MomentMatching(Method[Gmmn]):
    """One seed of a generative moment matching network.

    Weights are normal of variance 1 / inputs, biases 0; hidden layers are rectified, the last one
    is sigmoid.
    """

    losses = ("sqrt_mmd2",)

    def __init__(self, recipe: Gmmn, means: Float[Tensor, " d"], stream: torch.Generator) -> None:
        super().__init__(recipe, means, stream)
        sizes = (recipe.noise_dim, *recipe.hidden, len(means))
        kinds = ["relu"] * len(recipe.hidden) + ["sigmoid"]
        layers = []
        for inputs, units, kind in zip(sizes, sizes[1:], kinds, strict=False):
            layer = models.Linear(inputs, units, kind)
            with torch.no_grad():
                layer.weight.normal_(std=1 / math.sqrt(inputs), generator=stream)
            layers.append(layer)
        self.generator = models.Generator(layers).to(self.device)
        self.velocities = {
            name: torch.zeros_like(value) for name, value in self.generator.named_parameters()
        }

    def rates(self, counters: Counters) -> tuple[float, float]:
        """Returns the learning rate and the momentum of this stretch of the schedule."""
        stretch = self.recipe.schedule[counters.phase]
        return stretch.learning_rate, stretch.momentum

    def update(
        self, rows: Float[Tensor, "n d"], counters: Counters, stream: torch.Generator
    ) -> dict[str, Tensor]:
        """Moves the generator by v <- momentum v - rate gradient of sqrt(MMD^2)."""
        fake = self.generator(self._noise(len(rows), stream))
        # The V-statistic may round to just below 0, whose root is no number.
        loss = squared_mmd(rows, fake, self.recipe.widths).clamp(min=1e-12).sqrt()
        parameters = dict(self.generator.named_parameters())
        gradients = torch.autograd.grad(loss, list(parameters.values()))
        rate, momentum = self.rates(counters)
        with torch.no_grad():
            for (name, value), gradient in zip(parameters.items(), gradients, strict=True):
                self.velocities[name].mul_(momentum).sub_(gradient, alpha=rate)
                value.add_(self.velocities[name])
        return {"sqrt_mmd2": loss.detach()}

    def weights(self) -> dict[str, Tensor]:
        """Returns the generator's."""
        return dict(self.generator.named_parameters())

    def tensors(self) -> dict[str, Tensor]:
        """Returns weights and velocities."""
        moving = {f"velocity.{name}": value for name, value in self.velocities.items()}
        return self.weights() | moving

    @torch.no_grad()
    def sample(
        self, count: int, stream: torch.Generator, train: Float[Tensor, "n d"], way: None = None
    ) -> Float[Tensor, "count d"]:
        """Returns samples of fresh noise; neither images nor a way are used."""
        return self.generator(self._noise(count, stream))

    def _noise(self, count: int, stream: torch.Generator) -> Float[Tensor, "n z"]:
        empty = torch.empty(count, self.recipe.noise_dim)
        return empty.uniform_(-1, 1, generator=stream).to(self.device)


METHOD = MomentMatching
