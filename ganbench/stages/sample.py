"""`ganbench sample`: a generator to 10,000 samples and the arrays of the paper's figures."""

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ganbench import models, seeding
from ganbench.config import Adversarial, Experiment, Rival
from ganbench.data.rows import Images
from ganbench.errors import GanbenchError
from ganbench.evaluation.neighbours import nearest
from ganbench.evaluation.parzen import PROTOCOLS
from ganbench.methods.base import build
from ganbench.provenance import atomic_path, file_sha256
from ganbench.records import Record, companion, effective_digest, read_record
from ganbench.stages.context import Job
from ganbench.training import networks
from ganbench.training.checkpoints import read_tensors
from ganbench.training.sampling import Sampler, of_generator

# Figure 2 shows 4 rows of 5 samples; the sixth column is the neighbour of the fifth.
ROWS, COLUMNS = 4, 5
# Figure 3 walks between random points in z: rows, and images per row.
WALKS, STEPS = 4, 9
AGAIN = "run `ganbench train` again"


def sample(job: Job, train_record: Path, data_dir: Path) -> Record:
    """Draws the protocol's samples from each reported state of a generator.

    Args:
        job: whose generator, and where to write.
        train_record: the record of its training.
        data_dir: the data directory, for the nearest training images.

    Raises:
        GanbenchError: the training record is of other settings, or a file of it is not as it says.
    """
    trained = read_record(train_record)
    same = effective_digest(trained) == job.experiment.training_digest
    if not same or trained.seed != job.seed:
        raise GanbenchError(
            f"{train_record}: was trained with other settings or another seed than {job.config} "
            f"and {job.seed}; run `ganbench train` again"
        )
    if trained.status != "ok":
        return job.pass_on(trained, train_record)
    dataset = job.load_same_data(data_dir, trained, train_record)
    train = job.images(dataset, dataset.train)
    files, inputs = [], {train_record.name: file_sha256(train_record)}
    for state in job.experiment.states:
        weights = f"generator_{job.experiment.weights_of(state)}.safetensors"
        path = companion(train_record, trained, weights)
        inputs[weights] = trained.files[weights]
        files += _write(job, state, load_sampler(path, job.experiment, train, state), train)
    return job.record(files=files, inputs=inputs, datasets=trained.datasets)


def load_sampler(path: Path, experiment: Experiment, train: Images, state: str) -> Sampler:
    """Returns what draws samples of a trained model, on the device where the images are.

    Args:
        path: a safetensors file of `ganbench train`.
        experiment: its settings.
        train: the training images.
        state: the reported state, which may name a way to sample.

    Raises:
        GanbenchError: it is damaged, or of another model.
    """
    device = train.raw.device
    if isinstance(experiment, Adversarial):
        generator = load_generator(path, experiment, train).to(device)
        return of_generator(generator, experiment, device)
    assert isinstance(experiment, Rival)
    means = torch.zeros(math.prod(train.shape), device=device)
    model = build(experiment, means, torch.Generator())
    tensors = _checked(path, model.weights())
    with torch.no_grad():
        for name, value in model.weights().items():
            value.copy_(tensors[name])
    way = experiment.way_of(state)
    return Sampler(lambda count, stream: model.sample(count, stream, train.rows(), way))


def load_generator(path: Path, experiment: Adversarial, train: Images) -> models.Generator:
    """Returns the generator of an experiment with the weights of a file.

    Args:
        path: a safetensors file of `ganbench train`.
        experiment: its settings.
        train: gives the shape of an image.

    Raises:
        GanbenchError: it is damaged, or of another network.
    """
    unused = torch.Generator()
    pixels = torch.zeros(math.prod(train.shape))
    generator = networks.build_generator(experiment.generator, train.shape, pixels, unused)
    for phase in experiment.training.phases[1:]:
        generator = networks.put_in_front(
            generator, phase.generator_front, experiment.generator.noise_dim, unused
        )
    generator.load_state_dict(_checked(path, generator.state_dict()))
    return generator


def _checked(path: Path, expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a file that has at least those expected, of their shapes and finite."""
    tensors, _ = read_tensors(path, AGAIN)
    for name, value in expected.items():
        if name not in tensors or tensors[name].shape != value.shape:
            got = list(tensors[name].shape) if name in tensors else "none"
            raise GanbenchError(
                f"{path}: tensor {name!r}: got {got}, expected {list(value.shape)}; {AGAIN}"
            )
        if not tensors[name].isfinite().all():
            raise GanbenchError(f"{path}: tensor {name!r}: holds NaN or infinity; {AGAIN}")
    return {name: tensors[name] for name in expected}


def _write(job: Job, state: str, sampler: Sampler, train: Images) -> list[str]:
    """Every state draws the same noise, so that states differ by their weights alone."""
    assert job.seed is not None
    count = PROTOCOLS[job.experiment.evaluation.protocol].samples
    stream = seeding.generator(job.seed, "sampling", 0)
    samples = sampler.draw(count, stream)
    names = [f"samples_{state}.npy", f"figures_{state}.npz"]
    shown = samples[: ROWS * COLUMNS]
    beside = shown[COLUMNS - 1 :: COLUMNS]
    arrays = {
        "samples": shown.view(-1, *train.shape),
        "neighbours": nearest_images(beside, train).view(-1, *train.shape),
    }
    if sampler.between:
        # Along straight lines in z.
        walks = sampler.between(2 * WALKS, seeding.generator(job.seed, "sampling", 1), STEPS)
        arrays["interpolation"] = walks.view(WALKS, STEPS, *train.shape)
    with atomic_path(job.out.parent / names[0]) as path, open(path, "wb") as file:
        np.save(file, samples.cpu().numpy())
    values = {name: array.cpu().numpy() for name, array in arrays.items()}
    with atomic_path(job.out.parent / names[1]) as path, open(path, "wb") as file:
        np.savez_compressed(file, allow_pickle=False, **values)
    return names


def nearest_images(points: Float[Tensor, "m d"], train: Images) -> Float[Tensor, "m d"]:
    """Returns the training image nearest in L2 to each point, in the model's space."""
    return train.rows(nearest(points, train.rows()))
