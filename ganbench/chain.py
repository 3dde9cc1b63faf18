"""The chain of records: which record was made from which, and what cannot be true of them.

A record names the sha256 of what it was made from. What is checked here needs records alone, so
that the report refuses what `ganbench verify` finds in them.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from ganbench.config import settings_digest
from ganbench.errors import GanbenchError
from ganbench.inputs import shown
from ganbench.provenance import file_sha256
from ganbench.records import Record, effective_digest, known_experiment

Records = Mapping[Path, Record]
SEED_STAGES = ("train", "sample", "evaluate")
# What a finished record cannot have been made without, by its name beside the record.
MADE_FROM = {"sample": "train.json", "evaluate": "sample.json"}
# Which record lists the digest of a file that a later one names.
LISTED_BY = {"generator_": "train.json", "samples_": "sample.json"}
# No two seeds share these: their numbers differ from the first update on.
OF_ONE_SEED = ("generator_last.safetensors", "history.csv", "samples_last.npy")
# What every number of a stage says it was measured on.
LABELS = {
    **dict.fromkeys(("evaluate", "baselines"), ("checkpoint",)),
    **dict.fromkeys(("sample_metrics", "score"), ("source",)),
}
OF_LIKELIHOODS = ("protocol", "n_centers")  # besides, what these were measured by
LIKELIHOODS = ("log_likelihood", "validation_log_likelihood")
ALONE = ("fetch", "score", "theory")  # of no experiment that is trained
BY_HAND = "by_hand"
AGAIN = "run its stage again"


def findings(records: Records, suite: str | None = None) -> Iterator[str]:
    """Yields what is wrong with records of one suite, a line each that names the file.

    Args:
        records: by the path they were read from, laid out as in results/SUITE.
        suite: whose records they should be; if None, the one that most of them name.
    """
    for path, record in records.items():
        yield from _identity(path, record)
        yield from _labels(path, record)
        yield from _made_from(path, record, records)
    by_experiment: dict[Path, dict[Path, Record]] = defaultdict(dict)
    for path, record in records.items():
        # Records under other names, as of published scores, stand alone.
        if path.stem == record.stage and record.stage not in ALONE:
            by_experiment[experiment_folder(path)][path] = record
    for folder, own in by_experiment.items():
        yield from _one_experiment(folder, own)
        yield from _one_data_set(own, records)
        yield from _copies(own)
    # A training run may serve other suites too, and a data set is fetched once for many.
    named = {
        path: one.suite for path, one in records.items() if one.stage not in ("fetch", "train")
    }
    yield from _others("suite", named, suite)


def refuse(records: Records, suite: str | None = None) -> None:
    """Refuses records of a suite that cannot be what they say (raises GanbenchError)."""
    for line in findings(records, suite):
        raise GanbenchError(line)


def experiment_folder(path: Path) -> Path:
    """Returns the folder of a record's experiment: its own, or that of its seed's."""
    return path.parent.parent if _seed_of(path) is not None else path.parent


def _seed_of(path: Path) -> int | None:
    match = re.fullmatch(r"seed_(\d+)", path.parent.name, re.ASCII)
    return int(match[1]) if match else None


def _identity(path: Path, record: Record) -> Iterator[str]:
    """A record lies where its stage and seed say, and has the settings that its digest names."""
    if path.stem in SEED_STAGES and path.stem != record.stage:
        yield f"{path}: is a {record.stage} record; put it where it belongs"
    place = _seed_of(path)
    if record.stage in SEED_STAGES and place is not None and record.seed != place:
        yield f"{path}: is of seed {record.seed}, its folder of seed {place}; {AGAIN}"
    try:
        now = _digest_now(record)
    except GanbenchError as problem:
        yield f"{path}: {problem}"
        return
    if now != record.config_digest:
        yield (
            f"{path}: its settings have the digest {now[:12]}, it names "
            f"{shown(record.config_digest[:12])}; {AGAIN}"
        )


def _labels(path: Path, record: Record) -> Iterator[str]:
    """Tables and figures find a number by its labels."""
    needed = LABELS.get(record.stage, ())
    if needed and record.status == "ok" and not record.metrics:
        yield f"{path}: holds no metrics; {AGAIN}"
    for metric in record.metrics:
        likelihood = needed and metric.name in LIKELIHOODS
        wanted = (*needed, *OF_LIKELIHOODS) if likelihood else needed
        if lacking := [one for one in wanted if one not in metric.labels]:
            yield f"{path}: {shown(metric.name)} has no label {lacking[0]!r}; {AGAIN}"
            return


def _digest_now(record: Record) -> str:
    if record.stage in ("fetch", "score"):
        return settings_digest(record.config)
    if record.stage == "theory":
        # Title and note do not count.
        return settings_digest({key: record.config.get(key) for key in ("study", "seeds")})
    return known_experiment(record).digest


def _made_from(path: Path, record: Record, records: Records) -> Iterator[str]:
    """What a record names as its inputs is what lies there, or what the record before lists."""
    needed = MADE_FROM.get(record.stage)
    if needed and record.status == "ok" and needed not in record.inputs:
        yield f"{path}: does not name the {needed} it was made from; {AGAIN}"
    for name, digest in record.inputs.items():
        source = next((one for one in places(path, name) if one in records), None)
        if source and file_sha256(source) != digest:
            yield f"{path}: was made from another {name} than {source}; {AGAIN}"
        listed_by = next((one for start, one in LISTED_BY.items() if name.startswith(start)), None)
        before = records.get(path.with_name(listed_by)) if listed_by else None
        if before and record.stage in MADE_FROM and before.files.get(name) != digest:
            yield f"{path}: was made from another {name} than {listed_by} beside it lists; {AGAIN}"
    before = records.get(path.with_name(needed)) if needed else None
    if before and before.stage == Path(str(needed)).stem:
        yield from _goes_on(path, record, before)


def _goes_on(path: Path, record: Record, before: Record) -> Iterator[str]:
    """A later stage has the seed, the outcome and the settings of the one before."""
    if record.seed != before.seed:
        yield f"{path}: is of seed {record.seed}, its {before.stage}.json of {before.seed}; {AGAIN}"
    if record.status != before.status:
        yield (
            f"{path}: its status is {record.status}, that of {before.stage}.json is "
            f"{before.status}; {AGAIN}"
        )
    try:
        earlier, now = effective_digest(before), known_experiment(record)
    except GanbenchError:
        return  # reported where it is
    if earlier != (now.training_digest if before.stage == "train" else now.digest):
        yield f"{path}: has other settings than its {before.stage}.json; {AGAIN}"


def places(path: Path, name: str) -> tuple[Path, ...]:
    """Returns where an input of a record may lie: beside it, or beside its experiment's folder."""
    # A name of two parts at most: what a record says never leads elsewhere.
    parts = Path(name).parts
    if not parts or len(parts) > 2 or any(part in ("/", "..") for part in parts):
        return ()
    return (path.parent / name, path.parent.parent / name)


def _one_experiment(folder: Path, own: Records) -> Iterator[str]:
    """Each stage's records name one experiment; a training run may be another's of its settings."""
    later = {path: one.experiment for path, one in own.items() if one.stage != "train"}
    in_suite = any(one.suite != BY_HAND for one in own.values())
    yield from _others("experiment", later, folder.resolve().name if in_suite else None)
    trained = {path: one.experiment for path, one in own.items() if one.stage == "train"}
    yield from _others("experiment", trained)


def _one_data_set(own: Records, records: Records) -> Iterator[str]:
    """Every stage of an experiment, and the record of its data, saw the same pixels."""
    names = {str(one.config.get("dataset")) for one in own.values()}
    fetched = {
        path: one
        for path, one in records.items()
        if one.stage == "fetch" and one.experiment in names
    }
    seen = {
        path: f"digest {settings_digest(one.datasets)[:12]}"
        for path, one in (fetched | dict(own)).items()
        if one.datasets
    }
    yield from _others("data set", seen)


def _others(what: str, named: Mapping[Path, str], expected: str | None = None) -> Iterator[str]:
    """Yields the records that name something else than expected, or than most of them."""
    if expected is None:
        stated = [one for one in named.values() if one != BY_HAND]
        expected = Counter(stated).most_common(1)[0][0] if stated else BY_HAND
    for path, one in named.items():
        if one not in (expected, BY_HAND):
            yield f"{path}: its {what} is {shown(one)}, expected {shown(expected)}; {AGAIN}"


def _copies(own: Records) -> Iterator[str]:
    """Two seeds of one experiment never have the same weights, history or samples."""
    first: dict[tuple[str, str], Path] = {}
    for path, record in sorted(own.items(), key=_by_seed):
        for name in OF_ONE_SEED:
            if record.stage in ("train", "sample") and name in record.files:
                other = first.setdefault((name, record.files[name]), path)
                if other is not path:
                    yield f"{path}: has the same {name} as {other}; train that seed again"
                    break


def _by_seed(pair: tuple[Path, Record]) -> int:
    return pair[1].seed or 0
