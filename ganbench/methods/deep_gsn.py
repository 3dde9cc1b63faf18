"""Deep generative stochastic network: a chain that denoises images, trained through its rounds.

Source: Bengio, Thibodeau-Laufer, Alain and Yosinski 2014 and their released code. The pixels x and
the upper layer h2 are even, the layer h1 between them is odd. A round of the chain is

    h1 = tanh(x W1 + h2 W2' + b1)
    p  = sigmoid(h1 W1' + b0)              x  <- salt and pepper on Bernoulli(p)
    h2 <- tanh(h1 W2 + b2 + noise) + noise

and an update minimises the cross-entropy of every round's p against the clean image. The even
layers only see the odd one, so W = [W1', W2] and even = [x, h2] make a round two products:
even W' and h1 W.
Deviations: D20, D21.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from ganbench.config.frozen import Frozen
from ganbench.config.methods.base import Chains
from ganbench.config.methods.deep_gsn import DeepGsn as Settings
from ganbench.methods.base import Method
from ganbench.methods.counters import Counters


class DeepGsn(Method[Settings]):
    """Weights, averaged gradients and the chain."""

    losses = ("cross_entropy",)

    def __init__(
        self, recipe: Settings, means: Float[Tensor, " d"], stream: torch.Generator
    ) -> None:
        super().__init__(recipe, means, stream)
        pixels, units = len(means), recipe.hidden
        self.pixels = pixels
        weight = _aligned(units, pixels + units)
        for block, inputs in ((weight[:, :pixels], pixels), (weight[:, pixels:], units)):
            bound = math.sqrt(6 / (inputs + units))
            block.uniform_(-bound, bound, generator=stream)
        self.weight = _aligned(*weight.shape, device=self.device).copy_(weight)
        self.odd_bias = torch.zeros(units, device=self.device)
        self.even_bias = torch.zeros(pixels + units, device=self.device)
        self.averages = {
            name: _aligned(*value.shape, device=self.device).zero_()
            for name, value in self.weights().items()
        }

    def weights(self) -> dict[str, Tensor]:
        """Returns W [h, d + h], the biases of h1 [h] and those of pixels and h2 [d + h]."""
        return {"weight": self.weight, "odd_bias": self.odd_bias, "even_bias": self.even_bias}

    def tensors(self) -> dict[str, Tensor]:
        """Returns the weights and the averaged gradients."""
        averages = {f"average_{name}": value for name, value in self.averages.items()}
        return {**self.weights(), **averages}

    def rates(self, counters: Counters) -> tuple[float, float]:
        """Returns the learning rate of the epoch that has ended, and the weight of the past."""
        return self._rate(counters.phase_epoch - 1), self.recipe.momentum

    def _rate(self, epochs: int) -> float:
        return self.recipe.learning_rate * self.recipe.annealing**epochs

    @torch.no_grad()
    def update(
        self, rows: Float[Tensor, "n d"], counters: Counters, stream: torch.Generator
    ) -> dict[str, Tensor]:
        """Makes the next update; the loss is summed over the rounds, nats per pixel."""
        count, rounds, d = len(rows), self.recipe.walkback, self.pixels
        # The gradient of W is one product, left' right: per round, the gradient at h1 times the
        # even layers that it saw, and h1 times the gradient at the even layers that saw it.
        left = _aligned(2 * rounds, count, self.recipe.hidden, device=self.device)
        right = _aligned(2 * rounds, count, len(self.even_bias), device=self.device)
        odd, signals = left[rounds:], right[rounds:]
        self._forward(rows, odd, right[:rounds], signals, stream)
        logits = signals[..., :d]
        loss = functional.softplus(logits).sum() - (logits * rows).sum()
        self._backward(rows, left[:rounds], odd, signals)
        self._accumulate(left, right, self.recipe.momentum)
        rate = self._rate(counters.phase_epoch)
        for name, value in self.weights().items():
            value.sub_(self.averages[name], alpha=rate)
        return {"cross_entropy": loss / rows.numel()}

    def _forward(
        self,
        rows: Float[Tensor, "n d"],
        odd: Float[Tensor, "k n h"],
        even: Float[Tensor, "k n e"],
        signals: Float[Tensor, "k n e"],
        stream: torch.Generator,
    ) -> None:
        """Runs the rounds; `signals` receives the logits of p and the noisy tanh's value of h2."""
        d, last = self.pixels, len(odd) - 1
        even[0, :, :d] = self._corrupted(rows, stream)
        even[0, :, d:] = 0
        for number, (h1, seen, out) in enumerate(zip(odd, even, signals, strict=True)):
            # h2 is 0 in the first round, and what the last round makes of it is never seen.
            width = d if number == 0 else None
            torch.addmm(self.odd_bias, seen[:, :width], self.weight[:, :width].T, out=h1).tanh_()
            width = d if number == last else None
            torch.addmm(self.even_bias[:width], h1, self.weight[:, :width], out=out[:, :width])
            if number < last:
                even[number + 1, :, :d] = self._drawn(out[:, :d].sigmoid(), stream)
                before, after = self._noise(len(rows), stream)
                torch.add(out[:, d:].add_(before).tanh_(), after, out=even[number + 1, :, d:])

    def _backward(
        self,
        rows: Float[Tensor, "n d"],
        gradients: Float[Tensor, "k n h"],
        odd: Float[Tensor, "k n h"],
        signals: Float[Tensor, "k n e"],
    ) -> None:
        """Overwrites `signals` with the loss's gradients there, and fills those before h1's tanh.

        None flows through the drawn pixels.
        """
        d, last = self.pixels, len(odd) - 1
        signals[..., :d].sigmoid_().sub_(rows).div_(rows.numel())
        for number in reversed(range(len(odd))):
            width = d if number == last else None
            torch.mm(
                signals[number, :, :width], self.weight[:, :width].T, out=gradients[number]
            ).mul_(1 - odd[number].square())
            if number > 0:
                upper = signals[number - 1, :, d:]
                torch.mul(gradients[number] @ self.weight[:, d:], 1 - upper.square(), out=upper)

    def _accumulate(
        self, left: Float[Tensor, "k2 n h"], right: Float[Tensor, "k2 n e"], momentum: float
    ) -> None:
        """Moves the averaged gradients towards those of this minibatch, inside the product."""
        rounds, d, new = len(left) // 2, self.pixels, 1 - momentum
        # h2 has neither a first round nor a last one: what remains lies side by side.
        inner = slice(1, 2 * rounds - 1)
        weight = self.averages["weight"]
        for block, x, y in (
            (weight[:, :d], left, right[..., :d]),
            (weight[:, d:], left[inner], right[inner, :, d:]),
        ):
            block.addmm_(x.flatten(0, 1).T, y.flatten(0, 1), beta=momentum, alpha=new)
        odd = left[:rounds].sum((0, 1))
        pixels = right[rounds:, :, :d].sum((0, 1))
        upper = right[rounds:-1, :, d:].sum((0, 1))
        self.averages["odd_bias"].lerp_(odd, new)
        self.averages["even_bias"].lerp_(torch.cat((pixels, upper)), new)

    def sample(
        self,
        count: int,
        stream: torch.Generator,
        train: Float[Tensor, "n d"],
        way: Frozen | None = None,
    ) -> Float[Tensor, "count d"]:
        """Returns states of chains, the first states of all before the second ones."""
        if way is None:
            way = next(iter(self.recipe.ways.values()))
        assert isinstance(way, Chains)
        if way.start == "train":
            chosen = torch.randperm(len(train), generator=stream)
            start = train[chosen[torch.arange(way.chains) % len(train)].to(train.device)]
        else:
            start = torch.rand(way.chains, self.pixels, generator=stream).to(self.device)
        return self._chains(start, count, way, stream)

    @torch.no_grad()
    def _chains(
        self, start: Float[Tensor, "c d"], count: int, way: Chains, stream: torch.Generator
    ) -> Float[Tensor, "count d"]:
        """Returns means of the pixels, or draws from them, after rounds from salted images."""
        d, kept = self.pixels, []
        length = -(-count // way.chains)
        even = torch.zeros(way.chains, len(self.even_bias), device=self.device)
        even[:, :d] = self._corrupted(start, stream)
        for number in range(1, way.burn_in + length * way.thin + 1):
            odd = torch.addmm(self.odd_bias, even, self.weight.T).tanh_()
            out = torch.addmm(self.even_bias, odd, self.weight)
            means = out[:, :d].sigmoid()
            pixels = (self._uniform(means, stream) < means).to(means.dtype)
            before, after = self._noise(way.chains, stream)
            even[:, :d] = self._corrupted(pixels, stream)
            torch.add(out[:, d:].add_(before).tanh_(), after, out=even[:, d:])
            if number > way.burn_in and (number - way.burn_in) % way.thin == 0:
                kept.append(means if way.pixels == "means" else pixels)
        return torch.cat(kept)[:count]

    def _uniform(self, like: Tensor, stream: torch.Generator) -> Tensor:
        return torch.rand(like.shape, generator=stream).to(self.device)

    def _noise(self, count: int, stream: torch.Generator) -> Tensor:
        """Returns the noise before and after the tanh of h2, [2, n, h]."""
        noise = torch.randn(2, count, self.recipe.hidden, generator=stream)
        return noise.mul_(self.recipe.hidden_noise).to(self.device)

    def _corrupted(self, x: Float[Tensor, "n d"], stream: torch.Generator) -> Float[Tensor, "n d"]:
        """Returns the images with salt and pepper, half of the noise each."""
        half, uniform = self.recipe.salt_and_pepper / 2, self._uniform(x, stream)
        return torch.where(uniform < half, 0.0, torch.where(uniform >= 1 - half, 1.0, x))

    def _drawn(self, p: Float[Tensor, "n d"], stream: torch.Generator) -> Float[Tensor, "n d"]:
        """Returns pixels drawn from p and corrupted by one draw: 1 if kept and drawn, or salt."""
        rate = self.recipe.salt_and_pepper
        return (self._uniform(p, stream) < p * (1 - rate) + rate / 2).to(p.dtype)


def _aligned(*shape: int, device: torch.device | None = None) -> Tensor:
    """Returns an uninitialised array whose rows start at multiples of 64 bytes.

    A product into rows of 1,500 or 2,284 floats runs at three quarters of the speed without.
    """
    return torch.empty(*shape[:-1], -(-shape[-1] // 16) * 16, device=device)[..., : shape[-1]]


METHOD = DeepGsn
