"""Why -log D(G(z)) is used in practice: the gradient that reaches G as D grows sure."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from scipy import special
from torch import Tensor

from ganbench.config import Objective
from ganbench.seeding import generator
from ganbench.theory.config import Saturation
from ganbench.theory.densities import Normal
from ganbench.theory.divergences import jensen_shannon_normal
from ganbench.theory.duel import Contestant, Draws, Duel
from ganbench.theory.findings import Findings
from ganbench.theory.networks import Perceptron
from ganbench.theory.quadrature import line_rule
from ganbench.theory.value_function import optimal_logit

DATA = Normal(3.0, 0.5)
OBJECTIVES: tuple[Objective, Objective] = ("minimax", "non_saturating")
MEASUREMENTS = 30  # moments at which the gradients are compared, crowded at the start
SHIFTS = np.linspace(0.0, 8.0, 81)
NUDGE = 1e-3  # of the shift, for the central difference of the divergence
DIFFERENCE_ERROR = 1e-6  # its error: NUDGE^2 times a third derivative below 1
EXACT = 1e-9
SMALLEST = float(np.finfo(np.float32).tiny)
STRONGER = 10.0  # by this factor at least, once D is as sure as training makes it


def study(settings: Saturation, seeds: Sequence[int], device: str) -> Findings:
    """Compares both gradients under the exact D* and under a D trained further and further."""
    findings = Findings()
    _exact(findings)
    _trained(findings, settings, seeds, device)
    return findings


def exact_gradients(shift: float) -> tuple[float, float]:
    """Returns d/d shift of G's loss, minimax and non-saturating, with D* held fixed.

    p_data = N(0, 1) and G(z) = shift + z. The slope of D*'s logit is -shift everywhere, so that
    they are shift E D*(G(z)) and shift E (1 - D*(G(z))).
    """
    data, made = Normal(), Normal(shift)
    rule = line_rule(data, made)
    pdf = np.exp(made.log_pdf(rule.nodes))
    logit = optimal_logit(data.log_pdf(rule.nodes), made.log_pdf(rule.nodes))
    return (
        shift * rule.integrate(pdf * special.expit(logit)),
        shift * rule.integrate(pdf * special.expit(-logit)),
    )


def _exact(findings: Findings) -> None:
    """The two gradients are those of 2 JSD and of KL(p_g || p_data) - 2 JSD."""
    pairs = np.array([exact_gradients(shift) for shift in SHIFTS])
    findings.arrays |= {
        "shift": SHIFTS,
        "exact_minimax": pairs[:, 0],
        "exact_non_saturating": pairs[:, 1],
    }
    slopes = [
        (jensen_shannon_normal(s + NUDGE) - jensen_shannon_normal(abs(s - NUDGE))) / NUDGE
        for s in SHIFTS
    ]
    findings.claim_at_most(
        "minimax_descends_jsd",
        "Minimax loss: G's gradient less that of 2 JSD, largest over shifts 0 to 8",
        np.abs(pairs[:, 0] - slopes).max(),
        DIFFERENCE_ERROR,
    )
    # KL(N(s, 1) || N(0, 1)) = s^2 / 2 has the slope s
    findings.claim_at_most(
        "non_saturating_descends",
        "Non-saturating loss: G's gradient less that of KL(p_g || p_data) - 2 JSD, largest",
        np.abs(pairs[:, 1] - (SHIFTS - slopes)).max(),
        DIFFERENCE_ERROR,
    )
    findings.claim_at_most(
        "shared_fixed_point",
        "Both losses: G's gradient at p_g = p_data",
        np.abs(pairs[0]).max(),
        EXACT,
    )
    findings.claim_at_least(
        "no_other_fixed_point",
        "Both losses: G's gradient over the shift, smallest over shifts up to 8 (0 would stop G)",
        (pairs[1:] / SHIFTS[1:, None]).min(),
        np.finfo(float).tiny,
    )


def _trained(findings: Findings, settings: Saturation, seeds: Sequence[int], device: str) -> None:
    duel = _duel(settings, seeds, device)
    rows = [_noise(settings.points, generator(seed, "monitoring")) for seed in seeds]
    train_discriminator_alone(
        findings, duel, torch.stack(rows), settings.steps, seeds, "saturation_1d", "1-D"
    )


def contestants(seeds: Sequence[int], learning_rate: float) -> list[Contestant]:
    """Returns the same D and G twice per seed, once for each loss of G; D's loss is the same."""
    return [
        Contestant(objective, seed, learning_rate) for objective in OBJECTIVES for seed in seeds
    ]


def train_discriminator_alone(
    findings: Findings,
    duel: Duel,
    probe: Float[Tensor, "seeds n z"],
    steps: int,
    seeds: Sequence[int],
    name: str,
    data: str,
) -> None:
    """Compares G's gradients under both losses while D is trained further and further.

    Args:
        findings: takes the curves, the ratio and the claim.
        duel: of the runs that `contestants` returns.
        probe: noise of its own for measuring, the same under both losses.
        steps: updates of D.
        seeds: of the runs.
        name: of the claim's metric, as paper/claims.yaml and records have it.
        data: how the claim calls the data.
    """
    probe = probe.repeat(len(OBJECTIVES), 1, 1).to(duel.g.device)
    times = np.unique(np.geomspace(1, steps + 1, MEASUREMENTS).round().astype(int)) - 1
    norms, confidence = [], []
    for step in range(steps + 1):
        if step in times:
            norms.append(duel.generator_gradient(probe).norm(dim=1).double().cpu().numpy())
            with torch.no_grad():
                probabilities = torch.sigmoid(duel.judge(duel.generate(probe)))
            confidence.append(probabilities.double().mean(dim=1).cpu().numpy())
        duel.discriminator_step()
    minimax, non_saturating = np.split(np.array(norms), 2, axis=1)
    fooled = np.array(confidence)[:, : len(seeds)]
    findings.arrays |= {
        "trained_minimax": minimax,
        "trained_non_saturating": non_saturating,
        "trained_fooled": fooled,
    }
    # a D sure beyond float32 leaves no gradient at all
    ratio = non_saturating[-1] / np.maximum(minimax[-1], SMALLEST)
    for column, seed in enumerate(seeds):
        findings.measure("saturation_ratio", ratio[column], "1", seed=seed, data=data)
        findings.measure("saturation_fooled", fooled[-1, column], "1", seed=seed, data=data)
    findings.claim_at_least(
        name,
        f"Saturation, {data}: non-saturating over minimax gradient norm at D(G(z)) = "
        f"{fooled[-1].max():.1e}, smallest of {len(seeds)} seeds",
        ratio.min(),
        STRONGER,
        unit="1",
    )


def _duel(settings: Saturation, seeds: Sequence[int], device: str) -> Duel:
    runs = contestants(seeds, settings.learning_rate)
    net = Perceptron((1, settings.width, settings.width, 1), "tanh")
    doubled = [run.seed for run in runs]
    batch = settings.optimizer.batch_size
    real = Draws(doubled, "data_order", _data, batch, device)
    noise = Draws(doubled, "noise", _noise, batch, device)
    betas = settings.optimizer.beta1, settings.optimizer.beta2
    return Duel(runs, (net, net), (real, noise), betas, device)


def _data(count: int, rng: torch.Generator) -> Float[Tensor, "n 1"]:
    return DATA.mean + DATA.deviation * torch.randn(count, 1, generator=rng)


def _noise(count: int, rng: torch.Generator) -> Float[Tensor, "n 1"]:
    return torch.randn(count, 1, generator=rng)
