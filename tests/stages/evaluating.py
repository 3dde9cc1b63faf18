"""Evaluating a project, and the likelihood computed slowly."""

import numpy as np
import scipy.special

from ganbench.records import Metric, Record
from ganbench.stages.evaluate import evaluate

from .conftest import Project

CHECKPOINTS = ("last", "best_validation")
# Float32 distances (about 1e-6 of a square of 10) times 1 / (2 sigma^2) <= 50.
NATS = 0.01


def run(project: Project, seed: int = 0) -> Record:
    job = project.job("evaluate", seed)
    return evaluate(job, job.out.with_name("sample.json"), project.folder)


def metrics(actual: list[Metric], name: str, **labels: str | int) -> list[Metric]:
    return [one for one in actual if one.name == name and labels.items() <= one.labels.items()]


def slow_likelihoods(images: np.ndarray, samples: np.ndarray, sigma: float) -> np.ndarray:
    """Of raw digits under blurred samples, in float64 by explicit differences."""
    pixels = images.reshape(len(images), -1) / 16.0
    squares = ((pixels[:, None] - samples[None].astype(np.float64)) ** 2).sum(2)
    mixed = scipy.special.logsumexp(-squares / (2 * sigma**2), axis=1) - np.log(len(samples))
    return mixed - pixels.shape[1] * np.log(sigma * np.sqrt(2 * np.pi))
