"""Every number of the README's prose on results is that of the records."""

import math
import re
from pathlib import Path

import pandas as pd
import pytest

from ganbench.config import load_experiment
from ganbench.evaluation.diversity import COLLAPSED
from ganbench.published import table1
from ganbench.records import Record, read_record
from ganbench.report.statistics import prediction_interval, seed_mean
from ganbench.report.table1.rows import PAPERS_OWN

ROOT = Path(__file__).parent.parent
PUBLISHED = ROOT / "results" / "published"
SEEDS = range(3)
README = (ROOT / "README.md").read_text()
# The prose between the table and the picture of the rivals, on one line, without links' targets.
WORDS = README.partition("<!-- end of table -->")[2].partition("![Likelihood of each method")[0]
PROSE = " ".join(re.sub(r"\]\([^)]*\)", "]", WORDS).split())
PAPER = next(row for row in table1("MNIST") if row.model == PAPERS_OWN)


def value(record: Record, name: str, **labels: object) -> float:
    (one,) = (
        metric.value
        for metric in record.metrics
        if metric.name == name and labels.items() <= metric.labels.items()
    )
    return one


def scores(suite: str, experiment: str, checkpoint: str) -> list[float]:
    """Test log-likelihoods of the seeds, nats."""
    folder = PUBLISHED / suite / experiment
    labels = {"checkpoint": checkpoint, "split": "test"}
    return [
        value(read_record(folder / f"seed_{seed}" / "evaluate.json"), "log_likelihood", **labels)
        for seed in SEEDS
    ]


def full_length(checkpoint: str = "last") -> list[float]:
    return scores("mnist_full_length", "mnist_full_length", checkpoint)


def baselines() -> Record:
    return read_record(PUBLISHED / "mnist_full_length" / "mnist_full_length" / "baselines.json")


def copied(source: str) -> list[float]:
    paths = [PUBLISHED / "scores" / f"mnist_full_length_seed_{seed}.json" for seed in SEEDS]
    return [100 * value(read_record(path), "copied_share", source=source) for path in paths]


def schedule_share() -> float:
    """Percent of all the learning rate that falls within the run."""
    training = load_experiment(ROOT / "configs/experiments/mnist_full_length.yaml").training
    run = read_record(PUBLISHED / "mnist_full_length/mnist_full_length/seed_0/train.json")
    updates = value(run, "updates")
    # The rate is divided by a factor after each update until it reaches its least.
    factor = training.learning_rate_decay
    last = math.log(training.learning_rate / training.learning_rate_floor) / math.log(factor)
    return 100 * (1 - factor**-updates) / (1 - factor**-last)


def stopping_epochs() -> str:
    """Of the rule that the authors tried, as the table's last notes have them."""
    table = (PUBLISHED / "mnist_full_length" / "report" / "table1.md").read_text()
    (note,) = re.findall(r"would have stopped, by our monitoring: (.+?);", table)
    ends = re.findall(r"seed \d (?:after )?([\d,]*\d|never)", note)
    runs = sorted(ends, key=lambda end: math.inf if end == "never" else int(end.replace(",", "")))
    assert len(runs) == len(SEEDS)
    return "after {} epochs, {} epochs, and {}".format(*runs)


def worst_start() -> tuple[str, float]:
    """The lowest validation likelihood after five epochs of the runs of 25, and its seed's fate."""
    folder = PUBLISHED / "mnist_25_epochs_5_draws" / "mnist_25_epochs_5_draws"
    starts = {
        seed: pd.read_csv(folder / f"seed_{seed}" / "history.csv").set_index("epoch")
        for seed in SEEDS
    }
    likelihoods = {seed: one["validation_log_likelihood"][5] for seed, one in starts.items()}
    seed = min(likelihoods, key=likelihoods.__getitem__)
    metrics = read_record(folder / "sample_metrics.json")
    alike = value(metrics, "collapse_share", source="model", seed=seed)
    return ("one image" if alike > COLLAPSED else "many"), likelihoods[seed]


def rivals(method: str) -> dict[str, float]:
    """Test log-likelihood of every state of a method's only seed, nats."""
    record = read_record(PUBLISHED / "rivals" / f"mnist_{method}" / "seed_0" / "evaluate.json")
    return {
        str(metric.labels["checkpoint"]): metric.value
        for metric in record.metrics
        if metric.name == "log_likelihood"
    }


def claims() -> dict[str, str]:
    """Phrases of the README by what they say."""
    last, early = full_length(), full_length("epoch_300")
    mean, interval = seed_mean(last).mean, seed_mean(last).interval
    assert interval
    low, high = prediction_interval(last)
    annealed = scores("mnist_annealed", "mnist_annealed_300_50", "last")
    train = PUBLISHED / "mnist_full_length/mnist_full_length/seed_0/train.json"
    training_images = value(baselines(), "log_likelihood", checkpoint="training_images")
    centres = value(baselines(), "log_likelihood", checkpoint="kmeans_10000")
    penalties = [
        value(read_record(path), "grid_penalty", checkpoint="last")
        for path in sorted(PUBLISHED.glob("mnist_full_length/*/seed_*/evaluate.json"))
    ]
    shares = copied("samples")
    dbn, cae, vae = (rivals(method) for method in ("dbn", "stacked_cae", "vae"))
    persistent = rivals("dbn_pcd")["last_100_chains"]
    quoted = next(row for row in table1("MNIST") if row.model.startswith("DBN"))
    # A reconstruction samples nothing.
    sampled = [value for name, value in cae.items() if "reconstructions" not in name]
    assert vae["last"] > training_images
    return {
        "dbn": f"has {dbn['last']:.0f} nats on 10,000 consecutive states of one chain, "
        f"{dbn['last_100_chains']:.0f} on 100 chains and {dbn['last_10000_chains']:.0f} on 10,000 "
        "short ones",
        "persistent": f"by persistent chains it has {persistent:.0f} on 100 chains",
        "quoted": f"the paper quotes {quoted.log_likelihood:.0f}",
        "cae": f"goes from {min(sampled):.0f} to {max(sampled):.0f}",
        "vae": f"has {vae['last']:.0f}, more than the training images",
        "schedule": f"{schedule_share():.0f} % of all the learning rate",
        "mean": f"[{mean:.1f} nats]",
        "seeds": f"({', '.join(f'{one:.1f}' for one in last)}; 95 % interval "
        f"{interval[0]:.1f} to {interval[1]:.1f})",
        "early": f"{seed_mean(early).mean:.1f} after 300 epochs",
        "paper": f"printed {PAPER.log_likelihood:g} ± {PAPER.standard_error:g}, which is "
        f"{PAPER.log_likelihood - mean:.1f} nats more",
        "one more": f"would lie in {low:.1f} to {high:.1f} (95 %)",
        "grid": f"The grid of bandwidths alone costs {seed_mean(penalties).mean:.0f} nats",
        "stopping": stopping_epochs(),
        "annealed": f"[{seed_mean(annealed).mean:.1f} nats]",
        "seconds": f"together in {read_record(train).provenance.wall_time_s:.0f} seconds",
        "k-means": f"beat them by {centres - training_images:.0f} nats",
        "copies": f"{min(shares):.0f} to {max(shares):.0f} % of them count as copies, where "
        f"{copied('held_out_images')[0]:.0f} % of held-out images do",
        "fragile": f"at {worst_start()[1]:.0f} nats after five epochs",
    }


CLAIMS = claims()


@pytest.mark.parametrize("name", CLAIMS)
def test_the_prose_says_what_the_records_do(name: str) -> None:
    assert CLAIMS[name] in PROSE


def test_all_rivals_are_below_and_the_worst_start_ends_as_one_image() -> None:
    rivals = [row.log_likelihood for row in table1("MNIST") if row.model != PAPERS_OWN]
    assert min(full_length()) > max(rivals)
    assert worst_start()[0] == "one image"


def test_scored_anew_the_likelihood_is_the_same() -> None:
    for seed, before in zip(SEEDS, full_length(), strict=True):
        record = read_record(PUBLISHED / "scores" / f"mnist_full_length_seed_{seed}.json")
        assert value(record, "log_likelihood", source="samples") == pytest.approx(before, abs=0.1)


def test_training_images_score_what_is_quoted_for_them() -> None:
    (quoted,) = re.findall(r"what the literature reports for them \((\d+\.\d)\)", PROSE)
    ours = value(baselines(), "log_likelihood", checkpoint="training_images")
    assert ours == pytest.approx(float(quoted), abs=0.2)


def test_no_number_of_the_prose_is_unchecked() -> None:
    left = PROSE
    for phrase in CLAIMS.values():
        left = left.replace(phrase, "")
    left = re.sub(r"\(D\d+[,)]", "", left)
    # What the experiments' settings, the paper and the tests above say.
    known = ("225", "2,000 epochs", "300 epochs", "300th", "50 epochs", "350", "241.9", "5 %")
    known += ("Table 1", "H100", "bfloat16", "100 epochs", "25 epochs", "95 %")
    for one in sorted(known, key=len, reverse=True):
        left = left.replace(one, "")
    assert re.findall(r".{0,30}\d[\d.,]*", left) == []
