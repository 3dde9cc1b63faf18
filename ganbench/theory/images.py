"""Objectives, k and saturation on images, played by batched networks as in the plane."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ganbench.config import Objective
from ganbench.data.datasets import Dataset, load
from ganbench.data.fetch import data_directory
from ganbench.data.rows import Images
from ganbench.evaluation import parzen
from ganbench.seeding import generator
from ganbench.theory.config import ImageGame, ImageObjectives, ImageSaturation, Setting
from ganbench.theory.duel import Contestant, Draws, Duel
from ganbench.theory.findings import Findings
from ganbench.theory.networks import Perceptron
from ganbench.theory.objectives import refuse_shared_seeds, setting_labels, train
from ganbench.theory.saturation import contestants, train_discriminator_alone

PROTOCOL = parzen.PROTOCOLS["gan2014"]
SHOWN = 20  # samples of each setting that figures show


class Pictures:
    """The training and validation images of a game."""

    def __init__(self, game: ImageGame) -> None:
        """Reads the data set (raises DataNotAvailableError)."""
        dataset: Dataset = load(game.dataset, data_directory(None))
        self.train = Images(torch.from_numpy(dataset.train), dataset.scale, "unit_interval")
        fold = torch.from_numpy(dataset.folds[0].validation)
        validation = Images(fold, dataset.scale, "unit_interval").rows()
        self.validation = PROTOCOL.validation_images(validation, len(dataset.folds))

    def sample(self, count: int, rng: torch.Generator) -> Float[Tensor, "count d"]:
        """Draws training images with replacement."""
        return self.train.rows(torch.randint(len(self.train), (count,), generator=rng))

    def log_likelihood(self, made: Float[Tensor, "n d"]) -> float | None:
        """Returns the validation images' Parzen log-likelihood in nats, None if not finite."""
        if not bool(made.isfinite().all()):
            return None
        choice = parzen.choose_bandwidth(self.validation, made, PROTOCOL.sigmas)
        return max(choice.log_likelihoods)


def study_objectives(settings: ImageObjectives, seeds: Sequence[int], device: str) -> Findings:
    """Chooses each objective's learning rate on seeds of its own, then compares the settings.

    Raises:
        ConfigError: a reported seed also chose a learning rate.
        DataNotAvailableError: the data set is missing.
    """
    refuse_shared_seeds(seeds, settings.tuning_seeds)
    findings, pictures = Findings(), Pictures(settings.game)
    rates = _tune(findings, settings, pictures, device)
    for update, k in dict.fromkeys((s.update, s.k) for s in settings.settings):
        together = [s for s in settings.settings if (s.update, s.k) == (update, k)]
        runs = [Contestant(s.objective, n, rates[s.objective]) for s in together for n in seeds]
        made = _play(settings, runs, together[0], pictures, device)
        for row, setting in enumerate(together):
            labels = setting_labels(setting, rates[setting.objective])
            for column, seed in enumerate(seeds):
                points = made[row * len(seeds) + column]
                score = pictures.log_likelihood(points)
                findings.measure("diverged", score is None, "runs", seed=seed, **labels)
                if score is not None:
                    findings.measure("log_likelihood", score, "nats", seed=seed, **labels)
            first = made[row * len(seeds), :SHOWN].reshape(SHOWN, *pictures.train.shape)
            findings.arrays[f"samples_{settings.settings.index(setting)}"] = first.cpu().numpy()
    return findings


def _tune(
    findings: Findings, settings: ImageObjectives, pictures: Pictures, device: str
) -> dict[Objective, float]:
    """Returns each objective's rate of highest mean likelihood, by the paper's updates."""
    objectives: list[Objective] = list(dict.fromkeys(s.objective for s in settings.settings))
    runs = [
        Contestant(objective, seed, rate)
        for objective in objectives
        for rate in settings.learning_rates
        for seed in settings.tuning_seeds
    ]
    scores: dict[tuple[Objective, float], list[float]] = {}
    made = _play(settings, runs, settings.settings[0], pictures, device)
    for run, points in zip(runs, made, strict=True):
        score = pictures.log_likelihood(points)
        own = scores.setdefault((run.objective, run.learning_rate), [])
        own.append(-np.inf if score is None else score)
    means = {key: float(np.mean(values)) for key, values in scores.items()}
    for (objective, rate), mean in means.items():
        if np.isfinite(mean):
            labels = {"objective": objective, "learning_rate": rate}
            findings.measure("tuning_log_likelihood", mean, "nats", **labels)
    return {
        objective: max(settings.learning_rates, key=lambda rate: means[objective, rate])
        for objective in objectives
    }


def _play(
    settings: ImageObjectives,
    runs: Sequence[Contestant],
    setting: Setting,
    pictures: Pictures,
    device: str,
) -> Float[Tensor, "runs n d"]:
    """Trains every run by the updates of `setting` and returns samples of each."""
    players = _duel(settings.game, runs, pictures, device)
    train(players, setting, settings.steps)
    noise = [
        _noise(settings.game, settings.samples, generator(run.seed, "sampling")) for run in runs
    ]
    with torch.no_grad():
        return players.generate(torch.stack(noise).to(device))


def _duel(game: ImageGame, runs: Sequence[Contestant], pictures: Pictures, device: str) -> Duel:
    pixels = int(np.prod(pictures.train.shape))
    networks = (
        Perceptron((game.noise_dim, game.width, game.width, pixels), output="sigmoid"),
        Perceptron((pixels, game.width, game.width, 1)),
    )
    seeds = [run.seed for run in runs]
    batch = game.optimizer.batch_size
    draws = (
        Draws(seeds, "data_order", pictures.sample, batch, device),
        Draws(seeds, "noise", lambda n, rng: _noise(game, n, rng), batch, device),
    )
    betas = game.optimizer.beta1, game.optimizer.beta2
    dropout = Draws(seeds, "dropout", lambda n, rng: _masks(game, n, rng), batch, device)
    return Duel(
        runs, networks, draws, betas, device, game.weight_clip, dropout if game.dropout else None
    )


def _masks(game: ImageGame, count: int, rng: torch.Generator) -> Float[Tensor, "count units"]:
    """Which units of D's two hidden layers stay, scaled so that their mean is 1."""
    keep = 1 - game.dropout
    return (torch.rand(count, 2 * game.width, generator=rng) < keep).float() / keep


def _noise(game: ImageGame, count: int, rng: torch.Generator) -> Float[Tensor, "count z"]:
    return torch.randn(count, game.noise_dim, generator=rng)


def study_saturation(settings: ImageSaturation, seeds: Sequence[int], device: str) -> Findings:
    """Trains D alone against a G that was never trained, and compares both gradients of G.

    Raises:
        DataNotAvailableError: the data set is missing.
    """
    findings, game = Findings(), settings.game
    runs = contestants(seeds, settings.learning_rate)
    players = _duel(game, runs, Pictures(game), device)
    probe = [_noise(game, settings.points, generator(seed, "monitoring")) for seed in seeds]
    train_discriminator_alone(
        findings, players, torch.stack(probe), settings.steps, seeds, "saturation", game.dataset
    )
    return findings
