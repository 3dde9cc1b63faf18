"""Everything but the training update: likelihoods, samples and minibatches beside their rivals."""

import math
from itertools import cycle

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import logsumexp
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from ganbench.bench import rivals, updates
from ganbench.bench.contest import Contest
from ganbench.catalogue import DATASETS
from ganbench.evaluation import parzen
from ganbench.training.sampling import draw_samples
from ganbench_kernels.parzen import shared_distances
from ganbench_kernels.spec import MNIST_PIXELS

# Small, because the released script looks at every pixel of every pair at every bandwidth.
POINTS, CENTERS = 10, 2_000
SAMPLES = 1_000
# Images at a time in the script that was released with the paper.
RELEASED_BATCH = 10
ROUNDS = 9


def likelihood() -> Contest:
    """Images of MNIST's size at the bandwidths of 2014."""
    protocol = parzen.GAN2014
    stream = torch.Generator().manual_seed(0)
    points, centers = (
        torch.rand(count, MNIST_PIXELS, generator=stream) for count in (POINTS, CENTERS)
    )
    sigmas = torch.tensor(protocol.sigmas)
    return Contest(
        "likelihood",
        "parzen_log_likelihood",
        lambda: parzen.log_likelihoods(points, centers, protocol.sigmas),
        {
            "numpy_as_released": lambda: released(points.numpy(), centers.numpy(), protocol.sigmas),
            "shared_distances": lambda: shared_distances(points, centers, sigmas),
        },
        ROUNDS,
        images=POINTS,
        shapes=f"points {POINTS} x {MNIST_PIXELS}, centers {CENTERS} x {MNIST_PIXELS}, "
        f"bandwidths {len(sigmas)}",
    )


def released(
    points: NDArray[np.float32], centers: NDArray[np.float32], sigmas: tuple[float, ...]
) -> NDArray[np.float32]:
    """Returns log-likelihoods [k, m] as the released script has them, in numpy: all differences.

    Args:
        points: images [m, d].
        centers: samples [n, d].
        sigmas: bandwidths.
    """
    constant = math.log(len(centers)) + centers.shape[1] * np.log(
        np.array(sigmas) * math.sqrt(2 * math.pi)
    )
    rows = []
    for sigma in sigmas:
        parts = []
        for batch in np.array_split(points, max(1, len(points) // RELEASED_BATCH)):
            scaled = (batch[:, None, :] - centers[None]) / np.float32(sigma)
            parts.append(logsumexp(-0.5 * np.square(scaled).sum(2), axis=1))
        rows.append(np.concatenate(parts))
    return np.stack(rows) - constant[:, None]


def sampling() -> Contest:
    """A thousand samples of MNIST's generator."""
    settings = updates.experiment("mnist")
    data = updates.images(settings)
    network = updates.run(settings, data).generator.networks[0]
    plain = rivals.build_generator(settings.generator, data.shape)
    stream, cpu = torch.Generator().manual_seed(0), torch.device("cpu")

    @torch.no_grad()
    def theirs() -> Tensor:
        return plain(torch.empty(SAMPLES, settings.generator.noise_dim).uniform_(-1.73, 1.73))

    return Contest(
        "sampling",
        "mnist",
        lambda: draw_samples(network, settings, SAMPLES, stream, cpu),
        {"plain": theirs},
        ROUNDS,
        images=SAMPLES,
        shapes=f"samples {SAMPLES} x {MNIST_PIXELS}",
    )


def loading(name: str) -> Contest:
    """A minibatch of an experiment's images, from bytes to rows."""
    settings = updates.experiment(name)
    count = min(DATASETS[settings.dataset].images, 10 * updates.IMAGES)
    data = updates.images(settings, count)
    size = settings.training.batch_size
    order = cycle(torch.randperm(count).split(size)[:-1])
    held, ready = data.rows(), cycle(torch.randperm(count).split(size)[:-1])
    loader = DataLoader(TensorDataset(held), size, shuffle=True, drop_last=True)
    batches = _forever(loader)
    return Contest(
        "data loading",
        name,
        lambda: data.rows(next(order)),
        {"data_loader": lambda: next(batches), "floats_in_memory": lambda: held[next(ready)]},
        ROUNDS,
        images=size,
        shapes=f"batch {size} x {held.shape[1]}",
    )


def _forever(loader: DataLoader):
    while True:
        yield from loader
