"""What the stages that use torch share: the job's identity, its data and its device."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8

import ganbench_kernels
from ganbench.config import Adversarial, Experiment, experiment_name, load_experiment
from ganbench.data.datasets import Dataset, load, split_digests
from ganbench.data.rows import Images
from ganbench.errors import GanbenchError
from ganbench.gpus import claim_gpu
from ganbench.numerics import NUMERICS
from ganbench.provenance import file_sha256
from ganbench.records import (
    Environment,
    Metric,
    Record,
    Stage,
    Status,
    known_experiment,
    numbers_version,
    provenance,
    read_record,
)
from ganbench.training.cost import check_memory


@dataclass(frozen=True)
class Job:
    """One stage of one seed of one experiment.

    Attributes:
        stage: the verb.
        config: the experiment file.
        out: where the record goes; its files go beside it.
        suite: the suite that the record belongs to.
        seed: None where the stage has none.
        device: "auto", "cpu" or "cuda".
        impl: "auto", "reference" or "triton".
    """

    stage: Stage
    config: Path
    out: Path
    suite: str
    seed: int | None
    device: str
    impl: ganbench_kernels.Impl
    experiment: Experiment = field(init=False)
    started: float = field(init=False, default_factory=time.time)

    def __post_init__(self) -> None:
        """Reads the settings, settles the device, and refuses what it cannot hold."""
        object.__setattr__(self, "experiment", load_experiment(self.config))
        object.__setattr__(self, "device", resolve_device(self.device))
        check_impl(self.impl, self.device)
        if isinstance(self.experiment, Adversarial):
            check_memory(self.experiment, self.device, self.config)
        ganbench_kernels.set_default(self.impl)

    def load_data(self, data_dir: Path) -> tuple[Dataset, dict[str, str]]:
        """Returns the data set and the sha256 of each split."""
        dataset = load(self.experiment.dataset, data_dir)
        return dataset, split_digests(dataset)

    def load_same_data(self, data_dir: Path, earlier: Record, path: Path) -> Dataset:
        """Returns the data set that an earlier stage used.

        Raises:
            GanbenchError: its pixels have changed since.
        """
        dataset, digests = self.load_data(data_dir)
        if digests != earlier.datasets:
            raise GanbenchError(
                f"{path}: was made from other pixels than those of {self.experiment.dataset} in "
                f"{data_dir} now; put the same files back, or delete it and run its stage again"
            )
        return dataset

    def same_data_metrics(
        self, path: Path, digests: dict[str, str]
    ) -> tuple[list[Metric], dict[str, str]]:
        """Returns the metrics of this stage's record of another experiment, and its sha256 by name.

        Args:
            path: of the record.
            digests: of each split now.

        Raises:
            GanbenchError: it is of another stage, version, data set, preprocessing, protocol or
                number of draws.
        """
        record = read_record(path)
        same = (
            record.stage == self.stage
            and numbers_version(record) == f"version {NUMERICS[self.stage]}"
            and record.datasets == digests
            and known_experiment(record).data_digest == self.experiment.data_digest
        )
        if not same:
            raise GanbenchError(
                f"--like: {path} is no {self.stage} record of version {NUMERICS[self.stage]} for "
                f"the data, protocol and draws of {self.config}; leave --like out"
            )
        return record.metrics, {f"{path.parent.name}/{path.name}": file_sha256(path)}

    def images(self, dataset: Dataset, raw: UInt8[np.ndarray, "n c h w"]) -> Images:
        """Returns one split as rows on the device."""
        pixels = torch.from_numpy(raw).to(self.device)
        return Images(pixels, dataset.scale, self.experiment.preprocessing)

    def record(
        self,
        *,
        status: Status = "ok",
        message: str = "",
        metrics: list[Metric] | None = None,
        files: list[str] | None = None,
        inputs: dict[str, str] | None = None,
        datasets: dict[str, str] | None = None,
        earlier_s: float = 0.0,
        environments: Sequence[Environment] = (),
    ) -> Record:
        """Writes the record of this job and returns it.

        Args:
            status: of the job.
            message: why, when it is not ok.
            metrics: the numbers.
            files: names of the files written beside the record.
            inputs: sha256 of what was read.
            datasets: sha256 of each split.
            earlier_s: seconds of runs that this one resumed.
            environments: of a training run's parts.
        """
        record = Record(
            stage=self.stage,
            status=status,
            message=message,
            suite=self.suite,
            experiment=experiment_name(self.config),
            seed=self.seed,
            config=self.experiment.model_dump(mode="json"),
            config_digest=self.experiment.digest,
            inputs=inputs or {},
            files={name: file_sha256(self.out.parent / name) for name in files or []},
            datasets=datasets or {},
            metrics=metrics or [],
            provenance=provenance(
                self.stage,
                self.started,
                self.device,
                torch.get_num_threads(),
                # A process that goes on after the last update runs no kernel.
                environments[-1].impl if environments else impl_used(),
                self._precision(),
                earlier_s,
                environments,
            ),
        )
        record.write(self.out)
        return record

    def _precision(self) -> str:
        if self.stage == "train" and isinstance(self.experiment, Adversarial):
            return self.experiment.training.precision
        return "float32"

    def pass_on(self, earlier: Record, path: Path) -> Record:
        """Writes a record that carries on why an earlier stage, of that path, has no result."""
        inputs = {path.name: file_sha256(path)}
        return self.record(status=earlier.status, message=earlier.message, inputs=inputs)


def resolve_device(device: str) -> str:
    """Returns "cpu" or "cuda"; in the workflow, after waiting for a GPU that is free.

    Raises:
        GanbenchError: cuda is asked for and not there.
    """
    if device != "cpu" and torch.version.cuda:
        claim_gpu()
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise GanbenchError("--device: got cuda, but torch finds no GPU; use --device cpu")
    return device


def check_impl(impl: str, device: str) -> None:
    """Refuses what cannot run.

    Raises:
        GanbenchError: triton is asked for on a CPU.
    """
    if impl == "triton" and device == "cpu":
        raise GanbenchError("--impl: got triton, which needs a GPU; use --impl reference")


def impl_used() -> str:
    """Returns which kernels this process ran: one word where all ops agree, else op by op."""
    ran = ganbench_kernels.choices()
    if len(set(ran.values())) <= 1:
        return next(iter(ran.values()), "none")
    return "; ".join(f"{op}: {impl}" for op, impl in ran.items())
