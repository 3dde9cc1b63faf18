# One rule per verb of the command line; `rule all` is every table, figure, the report and the paper.
#   snakemake --cores all                                             the paper (configs/suites/paper.yaml)
#   snakemake --cores all --config suite=configs/suites/demo.yaml     another suite
# Also settable: device=auto|cpu|cuda, data_dir=FOLDER, gpus=N (that share the seeds of an experiment), seeds_per_job=N,
# checkpoint_dir=FOLDER.
import os
import sys
from pathlib import Path
from shlex import quote

from snakemake.utils import min_version

from ganbench.config import load_suite, suite_experiments
from ganbench.data.fetch import available, data_directory
from ganbench.errors import GanbenchError
from ganbench.numerics import NUMERICS
from ganbench.provenance import code_digest
from ganbench.report import outputs as report_outputs
from ganbench.report.formats import in_page
from ganbench.report.theory import outputs as theory_outputs
from ganbench.workflow_settings import (
    EACH,
    batches,
    check_settings,
    find_suite,
    needed,
    refuse_tags,
)

# An older Snakemake is refused in one line, instead of failing at a rule that it does not understand.
min_version("9.0")


# A user's mistake is one line; raised from here it would be a traceback.
try:
    check_settings(config)
    # Of the project, whatever folder results go to; relative in it, so that it can be moved.
    PROJECT = Path() if Path(workflow.basedir) == Path.cwd() else Path(workflow.basedir)
    SUITE_FILE = find_suite(config, PROJECT)
    refuse_tags([SUITE_FILE])
    SUITE = load_suite(SUITE_FILE).name
    EXPERIMENTS = {name: entry for name, *entry in suite_experiments(SUITE_FILE)}
    THEORY = {
        name: entry for name, *entry in theory_outputs.theory_experiments(SUITE_FILE)
    }
    refuse_tags(entry[0] for entry in (*EXPERIMENTS.values(), *THEORY.values()))
except GanbenchError as error:
    sys.exit(str(error))
# Once an experiment: thousands of jobs ask for them.
DIGESTS = {name: entry[1].digest for name, entry in EXPERIMENTS.items()}
TRAINING_DIGESTS = {
    name: entry[1].training_digest for name, entry in EXPERIMENTS.items()
}
BY_DATASET = {entry[1].dataset: entry[0] for entry in EXPERIMENTS.values()}
# What is measured on the data alone is measured once, by the first experiment that needs it.
FIRST = {entry[1].data_digest: name for name, entry in reversed(EXPERIMENTS.items())}
# Suites lie beside each other, so that one does not overwrite what another made.
RESULTS = f"results/{SUITE}"
REPORT = f"{RESULTS}/report"
# Where the HTML report finds what it opens with.
HOME = str(Path(REPORT, report_outputs.HOME).resolve())
# The report names its own files, so that they are declared here without being listed twice.
REPORTED = report_outputs.outputs(SUITE_FILE) + theory_outputs.outputs(SUITE_FILE)
SHOWN = report_outputs.shown(SUITE_FILE) | theory_outputs.shown(SUITE_FILE)
# By the environment, not as rule parameters: another device or folder is no reason to run again.
DATA_DIR = data_directory(config.get("data_dir"))
DEVICE = config.get("device", "auto")
# By the settings alone: the machine that plans need not be the one that computes.
GPU = {"gpu": 1} if DEVICE == "cuda" else {}
# Of all experiments: a rule declares the same files whatever its wildcards stand for.
STATES = list(
    dict.fromkeys(state for entry in EXPERIMENTS.values() for state in entry[1].states)
)
TRAINED = ["history.csv"] + [
    f"generator_{state}.safetensors"
    for state in dict.fromkeys(
        ["last", "best_validation"]
        + [
            state
            for entry in EXPERIMENTS.values()
            for state in entry[1].evaluation.states
        ]
    )
]
SAMPLED = [
    name
    for state in STATES
    for name in (f"samples_{state}.npy", f"figures_{state}.npz")
]
# A run without results (no data, diverged), or with fewer states than others of the suite, has files
# that are empty: the engine wants all that a rule declares. Its record names those that count. By
# seed and name, because a command that lists the files of 1,000 seeds is longer than Linux allows;
# in the prefix, because another state of another experiment is no reason to run again.
COMPLETE = """complete() {{
  for seed in ${{2//,/ }}; do for name in "${{@:3}}"; do [ -e "$1/seed_$seed/$name" ] || : > "$1/seed_$seed/$name"; done; done
}}; """
# A retry deletes a job's log: until it is done, what a training said is a hidden file, beside the log
# or where checkpoints outlive the node, and the log is a link to it.
KEEP_LOG = """keep_log() {{
  kept="$(realpath -m "${{GANBENCH_CHECKPOINT_DIR:-$(dirname "$1")}}")/.${{GANBENCH_SUITE}}_$(basename "$1")"
  mkdir -p "$(dirname "$kept")"; touch "$kept"; ln -sf "$kept" "$1"
}}; """
# Handed on by the command, because not every cluster gives its jobs the environment of this process.
CHECKPOINT_DIR = config.get("checkpoint_dir") or os.environ.get(
    "GANBENCH_CHECKPOINT_DIR", ""
)
# Before each command: it stops at the first error, and finds the ganbench of this environment.
shell.prefix(
    f"set -euo pipefail; export PATH={quote(str(Path(sys.executable).parent))}:$PATH "
    f"GANBENCH_DATA={quote(str(DATA_DIR))} GANBENCH_DEVICE={DEVICE} GANBENCH_SUITE={SUITE} "
    f"GANBENCH_CHECKPOINT_DIR={quote(CHECKPOINT_DIR)} GANBENCH_CLAIM_GPU=1; "
    f"TRAINED='{' '.join(TRAINED)}' SAMPLED='{' '.join(SAMPLED)}'; "
    + COMPLETE
    + KEEP_LOG
)


# The HTML report opens with the suite's results, not with a graph of its rules.
report: HOME


def source(name):
    """Input: a file of the project, which no storage provider holds."""
    return local(str(PROJECT / name).replace("{", "{{").replace("}", "}}"))


def settings(wildcards):
    return EXPERIMENTS[wildcards.experiment][1]


def data_record(wildcards):
    return f"{RESULTS}/data/{settings(wildcards).dataset}.json"


def digest(wildcards):
    return DIGESTS[wildcards.experiment]


def training_digest(wildcards):
    return TRAINING_DIGESTS[wildcards.experiment]


def config_file(wildcards):
    return EXPERIMENTS[wildcards.experiment][0]


def seeds(name):
    return EXPERIMENTS[name][2]


def files(batch, names):
    """A batch's files of these names; wildcards stand in them where each seed has a job."""
    return [
        f"{RESULTS}/{batch.experiment}/seed_{seed}/{name}"
        for seed in batch.seeds
        for name in names
    ]


def of(batch, value):
    """What follows from the experiment, which a batch names itself and wildcards name otherwise."""
    return lambda wildcards: value(wildcards if batch is EACH else batch)


def weights(batch):
    """Input: those of each reported state of training."""

    def names(experiment):
        states = settings(experiment).evaluation.states
        return files(batch, [f"generator_{state}.safetensors" for state in states])

    return of(batch, names)


def samples(batch):
    """Input: those of each reported state, and of each way to sample the last one."""

    def names(experiment):
        states = settings(experiment).states
        return files(batch, [f"samples_{state}.npy" for state in states])

    return of(batch, names)


def redrawn_weights(batch):
    """Input: what further draws come from; none where the samples at hand are all."""
    trained = weights(batch)

    def names(wildcards):
        several = of(batch, settings)(wildcards).evaluation.draws > 1
        return files(batch, ["train.json"]) + trained(wildcards) if several else []

    return names


def seeds_folder(wildcards, output):
    """Parameter: the folder above those of seeds, on the disk of the node that runs the job."""
    return Path(output[0]).parents[1]


def headline(wildcards):
    """Input: the samples of the first reported state of every seed."""
    state = settings(wildcards).evaluation.checkpoints[0]
    return [
        f"{RESULTS}/{wildcards.experiment}/seed_{seed}/{name}"
        for seed in seeds(wildcards.experiment)
        for name in ("sample.json", f"samples_{state}.npy")
    ]


def reported_runs(wildcards):
    """Input: what the report reads of every seed; a function, because other jobs need no such list."""
    names = ("train.json", "history.csv", "sample.json", "evaluate.json")
    return [
        f"{RESULTS}/{experiment}/seed_{seed}/{name}"
        for experiment, (_, settings, numbers) in EXPERIMENTS.items()
        for seed in numbers
        for name in (*names, f"figures_{settings.evaluation.checkpoints[0]}.npz")
    ]


def memory(megabytes):
    """More at each retry, where a profile allows retries."""
    return lambda wildcards, attempt: megabytes * attempt


def like(record):
    """Input: the first experiment's record where several have the same data and protocol."""

    def of_first(wildcards):
        first = FIRST[settings(wildcards).data_digest]
        return (
            [] if first == wildcards.experiment else f"{RESULTS}/{first}/{record}.json"
        )

    return of_first


def like_option(wildcards, input):
    return ["--like", input.like] if input.like else []


def reported(name):
    """A file of the report, with its place and caption in report.html where it has one."""
    path = f"{REPORT}/{name}"
    return report(path, **SHOWN[name]) if name in SHOWN else path


# Or a path that holds further folders would fit, too.
wildcard_constraints:
    seed=r"\d+",
    experiment=r"[a-z0-9_]+",
    dataset=r"[a-z0-9_]+",


# Nodes of a cluster often have no network, and a second of typesetting is not worth a wait for one.
localrules:
    all,
    fetch,
    paper,


onstart:
    # Its opinion of this machine stops no run: another may be the one that computes.
    shell("ganbench doctor --suite {SUITE_FILE:q} || true")


# What a bare `snakemake` makes.
rule all:
    input:
        # Each by name, so that an experiment added to a finished suite is found missing.
        expand(f"{REPORT}/{{name}}", name=REPORTED),
        f"{RESULTS}/estimators/estimators.html" if "digits" in BY_DATASET else [],
        [f"{RESULTS}/paper.pdf"] if EXPERIMENTS else [],


# Once a data set, whatever number of experiments use it; its failure reaches the terminal, because
# what follows goes on without it.
rule fetch:
    output:
        f"{RESULTS}/data/{{dataset}}.json",
    log:
        f"{RESULTS}/logs/fetch_{{dataset}}.log",
    conda:
        "environment.yaml"
    resources:
        mem_mb=memory(3000),
        runtime=60,
    params:
        numerics=NUMERICS["fetch"],
        # Data that turns up later is fetched again, and what needs it runs.
        available=lambda wildcards: available(wildcards.dataset, DATA_DIR),
        config=lambda wildcards: BY_DATASET[wildcards.dataset],
    shell:
        "ganbench fetch --config {params.config:q} --out {output:q} --in-workflow > {log:q} 2>&1; cat {log:q} >&2"


# Seeds that share a job are a batch, which has rules of its own: a wildcard cannot stand for a
# varying number of files. Where each seed has a job, wildcards are the only batch.
BATCHES = batches({name: entry[2] for name, entry in EXPERIMENTS.items()}, config)
# A job on a cluster reads this file again, for a rule of its own alone.
BATCHES = needed(BATCHES, sys.argv)

# Training may take longer than a site lets a job run: a retry goes on from the checkpoint.
for batch in BATCHES:

    rule:
        name:
            batch.rule("train")
        input:
            of(batch, data_record),
        output:
            files(batch, ["train.json", *TRAINED]),
        log:
            f"{RESULTS}/logs/train_{batch.experiment}_{batch.name}.log",
        conda:
            "environment.yaml"
        resources:
            **GPU,
            mem_mb=memory(3000 if len(batch.seeds) == 1 else 6000),
            runtime=2880,
        params:
            numerics=NUMERICS["train"],
            settings=of(batch, training_digest),
            config=of(batch, config_file),
            seeds=batch.seed_list,
            folder=seeds_folder,
        shell:
            "keep_log {log:q}; "
            "ganbench train --config {params.config:q} --seeds {params.seeds} --out {params.folder:q}/seed_{{seed}}/train.json --in-workflow >> {log:q} 2>&1; "
            'mv "$kept" {log:q}; '
            "complete {params.folder:q} {params.seeds} $TRAINED"


# One seed after the other, so that a batch takes longer than a seed and no more memory.
for batch in BATCHES:

    rule:
        name:
            batch.rule("sample")
        input:
            files(batch, ["train.json"]),
            weights(batch),
        output:
            files(batch, ["sample.json", *SAMPLED]),
        log:
            f"{RESULTS}/logs/sample_{batch.experiment}_{batch.name}.log",
        conda:
            "environment.yaml"
        resources:
            **GPU,
            mem_mb=memory(3000),
            runtime=min(60 * len(batch.seeds), 2880),
        params:
            numerics=NUMERICS["sample"],
            settings=of(batch, digest),
            config=of(batch, config_file),
            seeds=batch.seed_list,
            folder=seeds_folder,
        shell:
            "ganbench sample --config {params.config:q} --seeds {params.seeds} --out {params.folder:q}/seed_{{seed}}/sample.json > {log:q} 2>&1; "
            "complete {params.folder:q} {params.seeds} $SAMPLED"


# Apart from sampling, so that another protocol of scoring draws nothing again.
for batch in BATCHES:

    rule:
        name:
            batch.rule("evaluate")
        input:
            files(batch, ["sample.json"]),
            samples(batch),
            redrawn_weights(batch),
        output:
            files(batch, ["evaluate.json"]),
        log:
            f"{RESULTS}/logs/evaluate_{batch.experiment}_{batch.name}.log",
        conda:
            "environment.yaml"
        resources:
            **GPU,
            mem_mb=memory(3000),
            runtime=min(120 * len(batch.seeds), 2880),
        params:
            numerics=NUMERICS["evaluate"],
            settings=of(batch, digest),
            config=of(batch, config_file),
            seeds=batch.seed_list,
            folder=seeds_folder,
        shell:
            "ganbench evaluate --config {params.config:q} --seeds {params.seeds} --out {params.folder:q}/seed_{{seed}}/evaluate.json > {log:q} 2>&1"


# Apart from evaluation: they depend on the data alone, and no new seed measures them again.
rule baselines:
    input:
        data_record,
        like=like("baselines"),
    output:
        f"{RESULTS}/{{experiment}}/baselines.json",
    log:
        f"{RESULTS}/logs/baselines_{{experiment}}.log",
    conda:
        "environment.yaml"
    resources:
        **GPU,
        mem_mb=memory(3000),
        runtime=120,
    params:
        numerics=NUMERICS["baselines"],
        settings=digest,
        config=config_file,
        like=like_option,
    shell:
        "ganbench baselines --config {params.config:q} --out {output:q} {params.like:q} --in-workflow > {log:q} 2>&1"


# All seeds of an experiment in one job: what it needs of the data takes longest, and is the same.
rule sample_metrics:
    input:
        headline,
        like=like("sample_metrics"),
    output:
        f"{RESULTS}/{{experiment}}/sample_metrics.json",
    log:
        f"{RESULTS}/logs/sample_metrics_{{experiment}}.log",
    conda:
        "environment.yaml"
    resources:
        **GPU,
        mem_mb=memory(4000),
        runtime=60,
    params:
        numerics=NUMERICS["sample_metrics"],
        settings=digest,
        config=config_file,
        like=like_option,
        seeds=lambda wildcards: ",".join(map(str, seeds(wildcards.experiment))),
    shell:
        "ganbench sample-metrics --config {params.config:q} --seeds {params.seeds} --out {output:q} {params.like:q} --in-workflow > {log:q} 2>&1"


# Seeds share a record, because a statement is about all of them.
rule theory:
    output:
        record=f"{RESULTS}/{{experiment}}/theory.json",
        arrays=f"{RESULTS}/{{experiment}}/theory.npz",
    log:
        f"{RESULTS}/logs/theory_{{experiment}}.log",
    conda:
        "environment.yaml"
    resources:
        **GPU,
        mem_mb=memory(2000),
        runtime=60,
    params:
        numerics=NUMERICS["theory"],
        settings=lambda wildcards: in_page(
            THEORY[wildcards.experiment][1].model_dump_json()
        ),
        config=lambda wildcards: THEORY[wildcards.experiment][0],
        seeds=lambda wildcards: ",".join(map(str, THEORY[wildcards.experiment][2])),
    shell:
        "ganbench theory --config {params.config:q} --seeds {params.seeds} --out {output.record:q} > {log:q} 2>&1"


# All tables and figures in one job of seconds: they read the same records, and must agree.
rule report:
    input:
        reported_runs,
        expand(f"{RESULTS}/{{experiment}}/baselines.json", experiment=EXPERIMENTS),
        expand(f"{RESULTS}/{{experiment}}/sample_metrics.json", experiment=EXPERIMENTS),
        expand(f"{RESULTS}/data/{{dataset}}.json", dataset=BY_DATASET),
        expand(
            f"{RESULTS}/{{experiment}}/theory.{{suffix}}",
            experiment=THEORY,
            suffix=["json", "npz"],
        ),
        captions=[
            source(f"ganbench/report/captions/{path.name}")
            for path in (PROJECT / "ganbench/report/captions").glob("*.rst")
        ],
        words=[source("docs/likelihood.md"), source("paper/claims.yaml")],
    output:
        report=f"{REPORT}/report.json",
        shown=[reported(name) for name in REPORTED[1:]],
    log:
        f"{RESULTS}/logs/report.log",
    conda:
        "environment.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=30,
    params:
        code=lambda wildcards: code_digest("report"),
        suite=SUITE_FILE,
        settings=[in_page(entry[1].model_dump_json()) for entry in EXPERIMENTS.values()],
    shell:
        "ganbench report --config {params.suite:q} --out {output.report:q} > {log:q} 2>&1"


# Apart from the report, because tables and figures are complete without it: it alone needs typst.
rule paper:
    input:
        source("paper/main.typ"),
        source("paper/references.bib"),
        source("DEVIATIONS.md"),
        rules.report.output.shown,
        report=rules.report.output.report,
    output:
        report(
            f"{RESULTS}/paper.pdf",
            category="7 Paper",
            labels={"experiment": "all experiments", "shows": "paper"},
            caption="ganbench/report/captions/paper.rst",
        ),
    log:
        f"{RESULTS}/logs/paper.log",
    conda:
        "environment.yaml"
    resources:
        mem_mb=memory(1000),
        runtime=10,
    params:
        code=lambda wildcards: code_digest("paper"),
    shell:
        "ganbench paper --report {input.report:q} --out {output:q} > {log:q} 2>&1"


# On the data set that needs no download; docs/estimators.md has MNIST.
rule estimators:
    input:
        source("ganbench/bench/estimators.py"),
    output:
        expand(f"{RESULTS}/estimators/estimators.{{suffix}}", suffix=["csv", "md"]),
        html=report(
            f"{RESULTS}/estimators/estimators.html",
            category="5 Uncertainty",
            labels={"experiment": "digits", "shows": "other estimators"},
            caption="ganbench/report/captions/estimators.rst",
        ),
    log:
        f"{RESULTS}/logs/estimators.log",
    conda:
        "environment.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=10,
    params:
        folder=lambda wildcards, output: Path(output.html).parent,
    shell:
        "ganbench bench estimators --dataset digits --out {params.folder:q} > {log:q} 2>&1"


# Not part of `all`: `snakemake --cores 1 bench`. Times are of this machine, so nothing else should run on it.
rule bench:
    output:
        json="results/bench/bench.json",
        tables=expand(
            "results/bench/bench.{suffix}", suffix=["csv", "md", "tex", "png"]
        ),
        shown=[
            report(
                f"results/bench/bench.{suffix}",
                category="9 Speed",
                caption="ganbench/report/captions/bench.rst",
            )
            for suffix in ("html", "svg")
        ],
    log:
        "results/bench/bench.log",
    conda:
        "environment.yaml"
    resources:
        mem_mb=12000,
        runtime=120,
    params:
        benchmarks=PROJECT / "benchmarks",
    shell:
        "export OMP_NUM_THREADS=1; "
        "pytest {params.benchmarks:q} --benchmark-only --benchmark-json {output.json:q} > {log:q} 2>&1; "
        "ganbench bench table {output.json:q} --out results/bench > {log:q} 2>&1"
