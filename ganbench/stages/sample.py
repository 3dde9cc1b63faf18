"""`ganbench sample`: a generator to 10,000 samples and the arrays of the paper's figures."""

import math
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ganbench import models, seeding
from ganbench.config import Experiment
from ganbench.data.rows import Images
from ganbench.errors import GanbenchError
from ganbench.evaluation.neighbours import nearest
from ganbench.evaluation.parzen import PROTOCOLS
from ganbench.provenance import atomic_path, file_sha256
from ganbench.records import Record, companion, effective_digest, read_record
from ganbench.stages.context import Job
from ganbench.training import networks
from ganbench.training.checkpoints import read_tensors
from ganbench.training.sampling import draw_noise, draw_samples

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
    for checkpoint in job.experiment.evaluation.states:
        weights = f"generator_{checkpoint}.safetensors"
        path = companion(train_record, trained, weights)
        inputs[weights] = trained.files[weights]
        generator = load_generator(path, job.experiment, train).to(job.device)
        files += _write(job, checkpoint, generator, train)
    return job.record(files=files, inputs=inputs, datasets=trained.datasets)


def load_generator(path: Path, experiment: Experiment, train: Images) -> models.Generator:
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
    tensors, _ = read_tensors(path, AGAIN)
    expected = generator.state_dict()
    for name, value in expected.items():
        if name not in tensors or tensors[name].shape != value.shape:
            got = list(tensors[name].shape) if name in tensors else "none"
            raise GanbenchError(
                f"{path}: tensor {name!r}: got {got}, expected {list(value.shape)}; {AGAIN}"
            )
        if not tensors[name].isfinite().all():
            raise GanbenchError(f"{path}: tensor {name!r}: holds NaN or infinity; {AGAIN}")
    generator.load_state_dict({name: tensors[name] for name in expected})
    return generator


def _write(job: Job, checkpoint: str, generator: models.Generator, train: Images) -> list[str]:
    """Every state draws the same noise, so that states differ by their weights alone."""
    assert job.seed is not None
    device = torch.device(job.device)
    count = PROTOCOLS[job.experiment.evaluation.protocol].samples
    stream = seeding.generator(job.seed, "sampling", 0)
    samples = draw_samples(generator, job.experiment, count, stream, device)
    names = [f"samples_{checkpoint}.npy", f"figures_{checkpoint}.npz"]
    shown = samples[: ROWS * COLUMNS]
    beside = shown[COLUMNS - 1 :: COLUMNS]
    arrays = {
        "samples": shown.view(-1, *train.shape),
        "neighbours": nearest_images(beside, train).view(-1, *train.shape),
        "interpolation": _walks(job, generator, device).view(WALKS, STEPS, *train.shape),
    }
    with atomic_path(job.out.parent / names[0]) as path, open(path, "wb") as file:
        np.save(file, samples.cpu().numpy())
    values = {name: array.cpu().numpy() for name, array in arrays.items()}
    with atomic_path(job.out.parent / names[1]) as path, open(path, "wb") as file:
        np.savez_compressed(file, allow_pickle=False, **values)
    return names


def nearest_images(points: Float[Tensor, "m d"], train: Images) -> Float[Tensor, "m d"]:
    """Returns the training image nearest in L2 to each point, in the model's space."""
    return train.rows(nearest(points, train.rows()))


@torch.no_grad()
def _walks(job: Job, generator: models.Generator, device: torch.device) -> Tensor:
    """Images along straight lines in z."""
    assert job.seed is not None
    ends = draw_noise(job.experiment, 2 * WALKS, seeding.generator(job.seed, "sampling", 1))
    start, end = ends[:WALKS, None], ends[WALKS:, None]
    share = torch.linspace(0, 1, STEPS)[None, :, None]
    return generator(torch.lerp(start, end, share).flatten(0, 1).to(device))
