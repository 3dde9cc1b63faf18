# One rule per verb of the command line; `rule all` is every table, figure, the report and the paper.
#   snakemake --cores all                                             the paper (configs/suites/paper.yaml)
#   snakemake --cores all --config suite=configs/suites/demo.yaml     another suite
# Also settable: device=auto|cpu|cuda, data_dir=FOLDER, gpus=N (that share the seeds of an experiment), seeds_per_job=N.
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
from ganbench.workflow_settings import batches, check_settings, find_suite

min_version("9.0")


# A user's mistake is one line; raised from here it would be a traceback.
try:
    check_settings(config)
    # Of the project, whatever folder results go to; relative in it, so that it can be moved.
    PROJECT = Path() if Path(workflow.basedir) == Path.cwd() else Path(workflow.basedir)
    SUITE_FILE = find_suite(config, PROJECT)
    SUITE = load_suite(SUITE_FILE).name
    EXPERIMENTS = {name: entry for name, *entry in suite_experiments(SUITE_FILE)}
    THEORY = {
        name: entry for name, *entry in theory_outputs.theory_experiments(SUITE_FILE)
    }
except GanbenchError as error:
    sys.exit(str(error))
BY_DATASET = {entry[1].dataset: entry[0] for entry in EXPERIMENTS.values()}
# What is measured on the data alone is measured once, by the first experiment that needs it.
FIRST = {entry[1].data_digest: name for name, entry in reversed(EXPERIMENTS.items())}
RESULTS = f"results/{SUITE}"
REPORT = f"{RESULTS}/report"
# Where the HTML report finds what it opens with.
HOME = str(Path(REPORT, report_outputs.HOME).resolve())
REPORTED = report_outputs.outputs(SUITE_FILE) + theory_outputs.outputs(SUITE_FILE)
SHOWN = report_outputs.shown(SUITE_FILE) | theory_outputs.shown(SUITE_FILE)
# By the environment, not as rule parameters: another device or folder is no reason to run again.
DATA_DIR = data_directory(config.get("data_dir"))
DEVICE = config.get("device", "auto")
# By the settings alone: the machine that plans need not be the one that computes.
GPU = {"gpu": 1} if DEVICE == "cuda" else {}
STATES = list(
    dict.fromkeys(
        state for entry in EXPERIMENTS.values() for state in entry[1].states
    )
)
WEIGHTS = [
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
SAMPLES = [f"samples_{state}.npy" for state in STATES]
FIGURES = [f"figures_{state}.npz" for state in STATES]
# A run without results (no data, diverged), or with fewer states than others of the suite, has files
# that are empty: the engine wants all that a rule declares. Its record names those that count.
COMPLETE = '; for file in {output:q}; do [ -e "$file" ] || : > "$file"; done'
shell.prefix(
    f"set -euo pipefail; export PATH={quote(str(Path(sys.executable).parent))}:$PATH "
    f"GANBENCH_DATA={quote(str(DATA_DIR))} GANBENCH_DEVICE={DEVICE} GANBENCH_SUITE={SUITE} "
    "GANBENCH_CLAIM_GPU=1; "
)


report: HOME


def source(name):
    """Input: a file of the project, which no storage provider holds."""
    return local(str(PROJECT / name).replace("{", "{{").replace("}", "}}"))


def settings(wildcards):
    return EXPERIMENTS[wildcards.experiment][1]


def data_record(wildcards):
    return f"{RESULTS}/data/{settings(wildcards).dataset}.json"


def config_file(wildcards):
    return EXPERIMENTS[wildcards.experiment][0]


def seeds(name):
    return EXPERIMENTS[name][2]


def beside(names, experiment="{experiment}", seed="{seed}"):
    return [f"{RESULTS}/{experiment}/seed_{seed}/{name}" for name in names]


def weights(wildcards):
    """Input: those of each reported state of training."""
    return beside(
        f"generator_{state}.safetensors"
        for state in settings(wildcards).evaluation.states
    )


def samples(wildcards):
    """Input: those of each reported state, and of each way to sample the last one."""
    return beside(f"samples_{state}.npy" for state in settings(wildcards).states)


def redrawn_weights(wildcards):
    """Input: what further draws come from; none where the samples at hand are all."""
    several = settings(wildcards).evaluation.draws > 1
    return beside(["train.json"]) + weights(wildcards) if several else []


def headline(wildcards):
    """Input: the samples of the first reported state of every seed."""
    state = settings(wildcards).evaluation.checkpoints[0]
    return [
        path
        for seed in seeds(wildcards.experiment)
        for path in beside(
            ["sample.json", f"samples_{state}.npy"], wildcards.experiment, seed
        )
    ]


def reported_runs():
    """Input: what the report reads of every seed."""
    return [
        path
        for name, (_, experiment, numbers) in EXPERIMENTS.items()
        for seed in numbers
        for path in beside(
            [
                *("train.json", "history.csv", "sample.json", "evaluate.json"),
                f"figures_{experiment.evaluation.checkpoints[0]}.npz",
            ],
            name,
            seed,
        )
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


wildcard_constraints:
    seed=r"\d+",
    experiment=r"[a-z0-9_]+",
    dataset=r"[a-z0-9_]+",


# Nodes of a cluster often have no network.
localrules:
    all,
    fetch,
    paper,


onstart:
    # Its opinion of this machine stops no run: another may be the one that computes.
    shell("ganbench doctor --suite {SUITE_FILE:q} || true")


rule all:
    input:
        # Each by name, so that an experiment added to a finished suite is found missing.
        expand(f"{REPORT}/{{name}}", name=REPORTED),
        f"{RESULTS}/estimators/estimators.html" if "digits" in BY_DATASET else [],
        [f"{RESULTS}/paper.pdf"] if EXPERIMENTS else [],


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


TRAIN = (
    "ganbench train --config {params.config:q} --seeds {params.seeds} --out {params.out:q} --in-workflow > {log:q} 2>&1"
    + COMPLETE
)
BATCHES = batches({name: entry[2] for name, entry in EXPERIMENTS.items()}, config)


rule train:
    input:
        data_record,
    output:
        beside(["train.json", "history.csv", *WEIGHTS]),
    log:
        f"{RESULTS}/logs/train_{{experiment}}_{{seed}}.log",
    # Seeds that are trained together have the rules below.
    wildcard_constraints:
        seed=r"(?!)" if BATCHES else r"\d+",
    conda:
        "environment.yaml"
    resources:
        **GPU,
        mem_mb=memory(3000),
        runtime=2880,
    params:
        numerics=NUMERICS["train"],
        settings=lambda wildcards: settings(wildcards).training_digest,
        config=config_file,
        seeds="{seed}",
        out=lambda wildcards, output: output[0],
    shell:
        TRAIN


# A wildcard cannot stand for a varying number of files, so that each batch has a rule.
for experiment, name, group in BATCHES:

    rule:
        name:
            f"train_{experiment}_{name}"
        input:
            f"{RESULTS}/data/{EXPERIMENTS[experiment][1].dataset}.json",
        output:
            [
                path
                for seed in group
                for path in beside(
                    ["train.json", "history.csv", *WEIGHTS], experiment, seed
                )
            ],
        log:
            f"{RESULTS}/logs/train_{experiment}_{name}.log",
        conda:
            "environment.yaml"
        resources:
            **GPU,
            mem_mb=memory(6000),
            runtime=2880,
        params:
            numerics=NUMERICS["train"],
            settings=EXPERIMENTS[experiment][1].training_digest,
            config=EXPERIMENTS[experiment][0],
            seeds=",".join(map(str, group)),
            # The braces are the command's own.
            out=lambda wildcards, output: f"{Path(output[0]).parents[1]}/seed_{{seed}}/train.json",
        shell:
            TRAIN


rule sample:
    input:
        beside(["train.json"]),
        weights,
    output:
        beside([*SAMPLES, *FIGURES]),
        record=f"{RESULTS}/{{experiment}}/seed_{{seed}}/sample.json",
    log:
        f"{RESULTS}/logs/sample_{{experiment}}_{{seed}}.log",
    conda:
        "environment.yaml"
    resources:
        **GPU,
        mem_mb=memory(3000),
        runtime=60,
    params:
        numerics=NUMERICS["sample"],
        settings=lambda wildcards: settings(wildcards).digest,
        config=config_file,
    shell:
        "ganbench sample --config {params.config:q} --seeds {wildcards.seed} --out {output.record:q} > {log:q} 2>&1"
        + COMPLETE


rule evaluate:
    input:
        beside(["sample.json"]),
        samples,
        redrawn_weights,
    output:
        f"{RESULTS}/{{experiment}}/seed_{{seed}}/evaluate.json",
    log:
        f"{RESULTS}/logs/evaluate_{{experiment}}_{{seed}}.log",
    conda:
        "environment.yaml"
    resources:
        **GPU,
        mem_mb=memory(3000),
        runtime=120,
    params:
        numerics=NUMERICS["evaluate"],
        settings=lambda wildcards: settings(wildcards).digest,
        config=config_file,
    shell:
        "ganbench evaluate --config {params.config:q} --seeds {wildcards.seed} --out {output:q} > {log:q} 2>&1"


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
        settings=lambda wildcards: settings(wildcards).digest,
        config=config_file,
        like=like_option,
    shell:
        "ganbench baselines --config {params.config:q} --out {output:q} {params.like:q} --in-workflow > {log:q} 2>&1"


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
        settings=lambda wildcards: settings(wildcards).digest,
        config=config_file,
        like=like_option,
        seeds=lambda wildcards: ",".join(map(str, seeds(wildcards.experiment))),
    shell:
        "ganbench sample-metrics --config {params.config:q} --seeds {params.seeds} --out {output:q} {params.like:q} --in-workflow > {log:q} 2>&1"


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


rule report:
    input:
        reported_runs(),
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
        code=code_digest("report"),
        suite=SUITE_FILE,
        settings=[in_page(entry[1].model_dump_json()) for entry in EXPERIMENTS.values()],
    shell:
        "ganbench report --config {params.suite:q} --out {output.report:q} > {log:q} 2>&1"


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
        code=code_digest("paper"),
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
        "ganbench bench table {output.json:q} --out results/bench >> {log:q} 2>&1"
