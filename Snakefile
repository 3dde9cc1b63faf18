# One rule per verb of the command line; `rule all` is every table, figure, the report and the paper.
#   snakemake --cores all                                             the paper (configs/suites/paper.yaml)
#   snakemake --cores all --config suite=configs/suites/demo.yaml     another suite
# Also settable: device=cpu|cuda, data_dir=FOLDER, seeds_per_job=N (1 on a CPU, all on a GPU).
import sys
from glob import glob
from pathlib import Path
from shlex import quote

from snakemake.utils import min_version

from ganbench.config import load_suite, suite_experiments
from ganbench.data.fetch import available, data_directory
from ganbench.errors import GanbenchError
from ganbench.numerics import NUMERICS
from ganbench.provenance import code_digest, has_gpu
from ganbench.report import outputs as report_outputs
from ganbench.report.formats import in_page
from ganbench.report.theory import outputs as theory_outputs
from ganbench.workflow_settings import check_settings

min_version("9.0")


report: "ganbench/report/captions/workflow.rst"


# A user's mistake is one line; raised from here it would be a traceback.
try:
    check_settings(config)
    SUITE_FILE = Path(config.get("suite", "configs/suites/paper.yaml"))
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
REPORTED = report_outputs.outputs(SUITE_FILE) + theory_outputs.outputs(SUITE_FILE)
SHOWN = report_outputs.shown(SUITE_FILE) | theory_outputs.shown(SUITE_FILE)
# By the environment, not as rule parameters: another device or folder is no reason to run again.
DATA_DIR = data_directory(config.get("data_dir"))
DEVICE = config.get("device", "cuda" if has_gpu() else "cpu")
GPU = {"gpu": 1} if DEVICE == "cuda" else {}
SEEDS_PER_JOB = int(config.get("seeds_per_job", 1000 if DEVICE == "cuda" else 1))
shell.prefix(
    f"set -euo pipefail; export PATH={quote(str(Path(sys.executable).parent))}:$PATH "
    f"GANBENCH_DATA={quote(str(DATA_DIR))} GANBENCH_DEVICE={DEVICE} GANBENCH_SUITE={SUITE}; "
)


def settings(wildcards):
    return EXPERIMENTS[wildcards.experiment][1]


def data_record(wildcards):
    return f"{RESULTS}/data/{settings(wildcards).dataset}.json"


def config_file(wildcards):
    return EXPERIMENTS[wildcards.experiment][0]


def seeds(name):
    return EXPERIMENTS[name][2]


def every(record):
    return [
        f"{RESULTS}/{name}/seed_{seed}/{record}.json"
        for name in EXPERIMENTS
        for seed in seeds(name)
    ]


def like(record):
    """Input: the first experiment's record where several have the same data and protocol."""

    def of_first(wildcards):
        first = FIRST[settings(wildcards).data_digest]
        return (
            [] if first == wildcards.experiment else f"{RESULTS}/{first}/{record}.json"
        )

    return of_first


def like_option(wildcards, input):
    return f"--like {input.like}" if input.like else ""


def batched(items, size):
    return [items[start : start + size] for start in range(0, len(items), size)]


def reported(name):
    """A file of the report, with its place and caption in report.html where it has one."""
    path = f"{REPORT}/{name}"
    return report(path, **SHOWN[name]) if name in SHOWN else path


wildcard_constraints:
    seed=r"\d+",
    experiment=r"[a-z0-9_]+",
    dataset=r"[a-z0-9_]+",


localrules:
    all,


onstart:
    shell("ganbench doctor --suite {SUITE_FILE}")


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
        mem_mb=4000,
        runtime=60,
    params:
        numerics=NUMERICS["fetch"],
        # Data that turns up later is fetched again, and what needs it runs.
        available=lambda wildcards: available(wildcards.dataset, DATA_DIR),
        config=lambda wildcards: BY_DATASET[wildcards.dataset],
    shell:
        "ganbench fetch --config {params.config} --out {output} --in-workflow > {log} 2>&1"


# One rule a job, because a job has as many records as seeds.
for experiment, (config_path, experiment_settings, numbers) in EXPERIMENTS.items():
    for group in batched(numbers, SEEDS_PER_JOB):

        rule:
            name:
                f"train_{experiment}_{'_'.join(map(str, group))}"
            input:
                f"{RESULTS}/data/{experiment_settings.dataset}.json",
            output:
                [f"{RESULTS}/{experiment}/seed_{seed}/train.json" for seed in group],
            log:
                f"{RESULTS}/logs/train_{experiment}_{'_'.join(map(str, group))}.log",
            conda:
                "environment.yaml"
            resources:
                **GPU,
                mem_mb=6000,
                runtime=2880,
            params:
                numerics=NUMERICS["train"],
                settings=experiment_settings.training_digest,
                config=config_path,
                seeds=",".join(map(str, group)),
                folder=lambda wildcards, output: Path(output[0]).parents[1],
            shell:
                "ganbench train --config {params.config} --seeds {params.seeds} --out '{params.folder}/seed_{{seed}}/train.json' --in-workflow > {log} 2>&1"


rule sample:
    input:
        f"{RESULTS}/{{experiment}}/seed_{{seed}}/train.json",
    output:
        f"{RESULTS}/{{experiment}}/seed_{{seed}}/sample.json",
    log:
        f"{RESULTS}/logs/sample_{{experiment}}_{{seed}}.log",
    conda:
        "environment.yaml"
    resources:
        **GPU,
        mem_mb=4000,
        runtime=60,
    params:
        numerics=NUMERICS["sample"],
        settings=lambda wildcards: settings(wildcards).digest,
        config=config_file,
    shell:
        "ganbench sample --config {params.config} --seeds {wildcards.seed} --out {output} > {log} 2>&1"


rule evaluate:
    input:
        rules.sample.output,
    output:
        f"{RESULTS}/{{experiment}}/seed_{{seed}}/evaluate.json",
    log:
        f"{RESULTS}/logs/evaluate_{{experiment}}_{{seed}}.log",
    conda:
        "environment.yaml"
    resources:
        **GPU,
        mem_mb=4000,
        runtime=120,
    params:
        numerics=NUMERICS["evaluate"],
        settings=lambda wildcards: settings(wildcards).digest,
        config=config_file,
    shell:
        "ganbench evaluate --config {params.config} --seeds {wildcards.seed} --out {output} > {log} 2>&1"


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
        mem_mb=4000,
        runtime=120,
    params:
        numerics=NUMERICS["baselines"],
        settings=lambda wildcards: settings(wildcards).digest,
        config=config_file,
        like=like_option,
    shell:
        "ganbench baselines --config {params.config} --out {output} {params.like} --in-workflow > {log} 2>&1"


rule sample_metrics:
    input:
        lambda wildcards: [
            f"{RESULTS}/{wildcards.experiment}/seed_{seed}/sample.json"
            for seed in seeds(wildcards.experiment)
        ],
        like=like("sample_metrics"),
    output:
        f"{RESULTS}/{{experiment}}/sample_metrics.json",
    log:
        f"{RESULTS}/logs/sample_metrics_{{experiment}}.log",
    conda:
        "environment.yaml"
    resources:
        **GPU,
        mem_mb=6000,
        runtime=60,
    params:
        numerics=NUMERICS["sample_metrics"],
        settings=lambda wildcards: settings(wildcards).digest,
        config=config_file,
        like=like_option,
        seeds=lambda wildcards: ",".join(map(str, seeds(wildcards.experiment))),
    shell:
        "ganbench sample-metrics --config {params.config} --seeds {params.seeds} --out {output} {params.like} --in-workflow > {log} 2>&1"


rule theory:
    output:
        f"{RESULTS}/{{experiment}}/theory.json",
    log:
        f"{RESULTS}/logs/theory_{{experiment}}.log",
    conda:
        "environment.yaml"
    resources:
        **GPU,
        mem_mb=2000,
        runtime=60,
    params:
        numerics=NUMERICS["theory"],
        settings=lambda wildcards: in_page(
            THEORY[wildcards.experiment][1].model_dump_json()
        ),
        config=lambda wildcards: THEORY[wildcards.experiment][0],
        seeds=lambda wildcards: ",".join(map(str, THEORY[wildcards.experiment][2])),
    shell:
        "ganbench theory --config {params.config} --seeds {params.seeds} --out {output} > {log} 2>&1"


rule report:
    input:
        every("train"),
        every("sample"),
        every("evaluate"),
        expand(f"{RESULTS}/{{experiment}}/baselines.json", experiment=EXPERIMENTS),
        expand(f"{RESULTS}/{{experiment}}/sample_metrics.json", experiment=EXPERIMENTS),
        expand(f"{RESULTS}/data/{{dataset}}.json", dataset=BY_DATASET),
        expand(f"{RESULTS}/{{experiment}}/theory.json", experiment=THEORY),
        captions=glob("ganbench/report/captions/*.rst"),
        words=["docs/likelihood.md", "paper/claims.yaml"],
    output:
        report=f"{REPORT}/report.json",
        shown=[reported(name) for name in REPORTED[1:]],
    log:
        f"{RESULTS}/logs/report.log",
    conda:
        "environment.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        code=code_digest("report"),
        suite=SUITE_FILE,
        settings=[in_page(entry[1].model_dump_json()) for entry in EXPERIMENTS.values()],
    shell:
        "ganbench report --config {params.suite} --out {output.report} > {log} 2>&1"


rule paper:
    input:
        "paper/main.typ",
        "paper/references.bib",
        "DEVIATIONS.md",
        report=rules.report.output.report,
    output:
        report(
            f"{RESULTS}/paper.pdf",
            category="Paper",
            caption="ganbench/report/captions/paper.rst",
        ),
    log:
        f"{RESULTS}/logs/paper.log",
    conda:
        "environment.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=code_digest("paper"),
    shell:
        "ganbench paper --report {input.report} --out {output} > {log} 2>&1"


# On the data set that needs no download; docs/estimators.md has MNIST.
rule estimators:
    input:
        "ganbench/bench/estimators.py",
    output:
        expand(f"{RESULTS}/estimators/estimators.{{suffix}}", suffix=["csv", "md"]),
        html=report(
            f"{RESULTS}/estimators/estimators.html",
            category="Uncertainty",
            labels={"table": "other estimators"},
            caption="ganbench/report/captions/estimators.rst",
        ),
    log:
        f"{RESULTS}/logs/estimators.log",
    conda:
        "environment.yaml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        folder=lambda wildcards, output: Path(output.html).parent,
    shell:
        "ganbench bench estimators --dataset digits --out {params.folder} > {log} 2>&1"


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
                category="Speed",
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
    shell:
        "export OMP_NUM_THREADS=1; "
        "pytest benchmarks --benchmark-only --benchmark-json {output.json} > {log} 2>&1; "
        "ganbench bench table {output.json} --out results/bench >> {log} 2>&1"
