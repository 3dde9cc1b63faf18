"""The command line: exit codes, messages, what is written and what is not."""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer
import yaml

from ganbench import __version__
from ganbench.__main__ import app, main
from ganbench.provenance import RECORD
from ganbench.records import read_record

DIGITS = Path(__file__).parent.parent / "configs" / "experiments" / "digits.yaml"
HELP_CPU_S = 0.5  # the house's limit; importing torch alone takes more
PATIENCE_S = 300  # for a run to end; only a hang takes so long
COMMANDS = typer.main.get_command(app).commands
# Two phases of two epochs of 120 updates.
LONG = {
    "extends": str(DIGITS),
    "title": "tiny",
    "generator": {
        "layers": [
            {"kind": "linear", "units": 9, "activation": "relu", "irange": 0.2},
            {"kind": "linear", "units": 64, "activation": "sigmoid", "irange": 0.2},
        ]
    },
    "discriminator": {
        "layers": [
            {"kind": "maxout", "units": 8, "pieces": 2, "irange": 0.05},
            {"kind": "linear", "units": 1, "irange": 0.05},
        ]
    },
    "training": {
        "batch_size": 10,
        "phases": [
            {"epochs": 2},
            {"epochs": 2, "generator_front": [{"kind": "linear", "units": 100, "irange": 0.1}]},
        ],
    },
    "evaluation": {"monitor_every": 1000},
}
RESULTS = ("history.csv", "generator_last.safetensors", "generator_best_validation.safetensors")


@pytest.fixture
def config(tmp_path: Path) -> Callable[..., Path]:
    """Writes an experiment file; keywords change the training."""

    def write(dataset: str = "digits", **training: object) -> Path:
        path = tmp_path / "tiny.yaml"
        settings = LONG | {"dataset": dataset, "training": LONG["training"] | training}
        path.write_text(yaml.safe_dump(settings))
        return path

    return write


@pytest.fixture
def ganbench(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., SimpleNamespace]:
    """Runs the command line in this process."""
    monkeypatch.setenv("GANBENCH_DATA", str(tmp_path / "data"))
    for name in ("SUITE", "DEVICE", "CHECKPOINT_SECONDS", "CHECKPOINT_DIR"):
        monkeypatch.delenv(f"GANBENCH_{name}", raising=False)

    def run(*arguments: object) -> SimpleNamespace:
        monkeypatch.setattr(sys, "argv", ["ganbench", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        shown = capsys.readouterr()
        return SimpleNamespace(code=end.value.code or 0, out=shown.out, err=shown.err)

    return run


def start(*arguments: object) -> subprocess.Popen[str]:
    """Starts the command line in a process of its own, on the CPU."""
    environment = os.environ | {"GANBENCH_DEVICE": "cpu", "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "ganbench", *map(str, arguments)],
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def end(process: subprocess.Popen[str]) -> SimpleNamespace:
    out, err = process.communicate(timeout=PATIENCE_S)
    return SimpleNamespace(code=process.returncode, out=out, err=err)


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def processor_seconds_of_help() -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert end(start("--help")).code == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_help_is_quick() -> None:
    # Processor time, and the best of three: a busy machine slows any one.
    assert any(processor_seconds_of_help() < HELP_CPU_S for _ in range(3))


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["train", "--help"], ["fetch"]],
    ids=" ".join,
)
def test_what_needs_no_torch_does_not_import_it(
    config: Callable[..., Path], tmp_path: Path, arguments: list[str]
) -> None:
    if "--help" not in arguments:
        paths = ("--config", config("tfd"), "--out", tmp_path / "out.json", "--data-dir", tmp_path)
        arguments = [*arguments, "--in-workflow", *map(str, paths)]
    code = (
        "import sys\n"
        "from ganbench.__main__ import main\n"
        f"sys.argv = ['ganbench', *{arguments!r}]\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def test_every_verb_and_option_is_described() -> None:
    assert {"fetch", "train", "sample", "evaluate", "report", "doctor"} <= COMMANDS.keys()
    for name, command in COMMANDS.items():
        assert command.help, name
        for option in command.params:
            described = getattr(option, "help", None)
            assert described, f"{name} {option.name}"


@pytest.mark.parametrize("verb", ["fetch", "train", "sample", "evaluate", "report"])
def test_the_workflows_verbs_share_their_options(verb: str) -> None:
    options = {name for option in COMMANDS[verb].params for name in option.opts}
    assert {"--config", "--out", "--dry-run"} <= options
    if verb not in ("fetch", "report"):
        assert {"--seeds", "--device", "--impl", "--suite", "--data-dir"} <= options


@pytest.mark.parametrize(
    ("verb", "what"),
    [
        (["fetch"], "would fetch the data of {config} into {data} and write {out}"),
        (["train"], "would train {config} seed 0 and write {out}"),
        (["sample"], "would sample {config} seed 0 and write {out}"),
        (["evaluate"], "would evaluate {config} seed 0 and write {out}"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_dry_run_says_what_it_would_do_and_writes_nothing(
    ganbench: Callable[..., SimpleNamespace],
    config: Callable[..., Path],
    tmp_path: Path,
    verb: list[str],
    what: str,
) -> None:
    path, out = config(), tmp_path / "results" / "out.json"
    actual = ganbench(*verb, "--config", path, "--out", out, "--dry-run")
    assert (actual.code, actual.err) == (0, "")
    assert actual.out == what.format(config=path, out=out, data=tmp_path / "data") + "\n"
    assert files(tmp_path) == {"tiny.yaml"}


def test_several_seeds_have_a_path_each_and_existing_ones_are_kept(
    ganbench: Callable[..., SimpleNamespace], config: Callable[..., Path], tmp_path: Path
) -> None:
    kept = tmp_path / "seed_1" / "train.json"
    kept.parent.mkdir()
    kept.write_bytes(RECORD)
    path = config(batch_size=600, phases=[{"epochs": 1}])
    out = tmp_path / "seed_{seed}" / "train.json"
    arguments = ("--config", path, "--out", out, "--suite", "mine", "--device", "cpu")
    actual = ganbench("train", *arguments, "--seeds", "1,0,2", "--dry-run")
    assert actual.out.splitlines() == [
        f"{kept}: exists; delete it to run again",
        f"would train {path} seed 0 and write {tmp_path}/seed_0/train.json",
        f"would train {path} seed 2 and write {tmp_path}/seed_2/train.json",
    ]
    before = time.time()
    actual = ganbench("train", *arguments, "--seeds", "1,0,2")
    took = time.time() - before
    assert actual.code == 0
    assert kept.read_bytes() == RECORD
    records = [read_record(tmp_path / f"seed_{seed}" / "train.json") for seed in (0, 2)]
    assert [(record.seed, record.suite, record.status) for record in records] == [
        (0, "mine", "ok"),
        (2, "mine", "ok"),
    ]
    # Seeds that share a process share its time.
    assert all(0 < record.provenance.wall_time_s <= took for record in records)
    first, second = ((tmp_path / f"seed_{seed}" / RESULTS[1]).read_bytes() for seed in (0, 2))
    assert first != second


@pytest.mark.parametrize("seeds", ["", "x", "0,,1", "-1", "0,0", "1.5"])
def test_wrong_seeds_are_the_users_mistake(
    ganbench: Callable[..., SimpleNamespace],
    config: Callable[..., Path],
    tmp_path: Path,
    seeds: str,
) -> None:
    out = tmp_path / "{seed}.json"
    actual = ganbench("train", "--config", config(), "--out", out, f"--seeds={seeds}")
    message = f"--seeds: got {seeds!r}; give different whole numbers from 0 on, as in 0,1,2\n"
    assert (actual.code, actual.err) == (2, message)


def test_several_seeds_in_one_file_are_the_users_mistake(
    ganbench: Callable[..., SimpleNamespace], config: Callable[..., Path], tmp_path: Path
) -> None:
    out = tmp_path / "train.json"
    actual = ganbench("train", "--config", config(), "--out", out, "--seeds", "0,1")
    message = f"--out: got {out} for several seeds; put '{{seed}}' into the path\n"
    assert (actual.code, actual.err) == (2, message)


@pytest.mark.parametrize("verb", ["train", "sample", "evaluate"])
def test_a_setting_that_does_not_fit_is_the_users_mistake(
    ganbench: Callable[..., SimpleNamespace],
    config: Callable[..., Path],
    tmp_path: Path,
    verb: str,
) -> None:
    path = config(momentum=0.5)
    actual = ganbench(verb, "--config", path, "--out", tmp_path / "out.json")
    assert actual.code == 2
    message = f"{path}: training: unknown key 'momentum'; did you mean 'momentum_final'?\n"
    assert actual.err.replace("momentum_initial", "momentum_final") == message


def test_stages_follow_each_other_beside_one_another(
    ganbench: Callable[..., SimpleNamespace], config: Callable[..., Path], tmp_path: Path
) -> None:
    """What one verb writes the next one finds; a tampered companion is the user's mistake."""
    folder = tmp_path / "seed_0"
    path = config(batch_size=600, phases=[{"epochs": 1}])
    common = ("--config", path, "--device", "cpu")
    actual = ganbench("sample", *common, "--out", folder / "sample.json")
    assert actual.code == 2
    assert actual.err.startswith(f"{folder}/train.json: cannot be read (No such file")
    for verb in ("train", "sample", "evaluate"):
        actual = ganbench(verb, *common, "--out", folder / f"{verb}.json")
        assert (actual.code, actual.err) == (0, "")
    score = read_record(folder / "evaluate.json").metrics[0]
    assert (score.name, score.labels["n_centers"]) == ("log_likelihood", 10_000)
    (folder / "evaluate.json").unlink()
    (folder / "samples_last.npy").write_bytes(b"other samples")
    actual = ganbench("evaluate", *common, "--out", folder / "evaluate.json")
    assert actual.code == 2
    assert actual.err.startswith(
        f"{folder}/samples_last.npy: is not the file that sample.json desc"
    )
    assert actual.err.count("\n") == 1


def test_baselines_have_no_seed(
    ganbench: Callable[..., SimpleNamespace], config: Callable[..., Path], tmp_path: Path
) -> None:
    out = tmp_path / "baselines.json"
    arguments = ("baselines", "--config", config(), "--out", out)
    assert ganbench(*arguments, "--device", "cpu").code == 0
    record = read_record(out)
    assert (record.stage, record.seed, record.suite) == ("baselines", None, "by_hand")
    assert record.metrics[0].labels["checkpoint"] == "training_images"


def test_missing_data_is_3_by_hand_and_0_in_the_workflow(
    config: Callable[..., Path], tmp_path: Path
) -> None:
    out = tmp_path / "tfd.json"
    arguments = ("fetch", "--config", config("tfd"), "--out", out, "--data-dir", tmp_path / "data")
    actual = end(start(*arguments))
    assert actual.code == 3
    assert actual.err.startswith(
        f"{tmp_path}/data/tfd/TFD_48x48.mat: is missing and cannot be down"
    )
    assert actual.err.count("\n") == 1
    assert not out.exists()
    actual = end(start(*arguments, "--in-workflow"))
    assert actual.code == 0
    assert actual.err.startswith(
        f"{tmp_path}/data/tfd/TFD_48x48.mat: is missing and cannot be down"
    )
    assert json.loads(out.read_text())["status"] == "data_not_available"


def test_a_wrong_file_is_2(tmp_path: Path) -> None:
    path = tmp_path / "none.yaml"
    actual = end(start("fetch", "--config", path, "--out", tmp_path / "out.json"))
    assert actual.code == 2
    assert actual.err == (
        f"{path}: cannot be read (No such file or directory); give the path of a YAML file\n"
    )


def test_the_version_is_printed() -> None:
    actual = end(start("--version"))
    assert (actual.code, actual.out) == (0, f"ganbench {__version__}\n")


@pytest.mark.parametrize("content", [None, "no json", "[]", '{"table": {"columns": []}}'])
def test_what_is_no_report_is_not_shown(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "report.json"
    if content is not None:
        path.write_text(content)
    actual = end(start("show", path))
    assert actual.code == 2
    assert actual.err.startswith(f"{path}: ")
    assert actual.err.endswith("; run 'ganbench report' again\n")
    assert actual.err.count("\n") == 1


def test_divergence_is_4_and_recorded(config: Callable[..., Path], tmp_path: Path) -> None:
    out = tmp_path / "seed_0" / "train.json"
    path = config(learning_rate=1.0e30, phases=[{"epochs": 1}])
    actual = end(start("train", "--config", path, "--out", out, "--checkpoint-seconds", "0"))
    assert actual.code == 4
    assert actual.err.startswith("epoch 1: discriminator_loss, ")
    assert actual.err.endswith("not finite; lower the learning_rate, or run another seed\n")
    assert actual.err.count("\n") == 1
    assert read_record(out).status == "diverged"
    assert files(tmp_path / "seed_0") == {"train.json"}


@pytest.mark.parametrize("seeds", ["٣", "1_0", "+1", "0x1", "01", "1.0", "9" * 30, "1" * 5_000, ""])
def test_seeds_are_plain_numbers(ganbench: Callable[..., SimpleNamespace], seeds: str) -> None:
    actual = ganbench("train", "--config", DIGITS, "--out", "t.json", "--seeds", seeds, "--dry-run")
    assert (actual.code, actual.out) == (2, "")
    assert actual.err.startswith("--seeds: got ")
    assert actual.err.endswith("; give different whole numbers from 0 on, as in 0,1,2\n")
    assert len(actual.err) < 300


@pytest.mark.parametrize("seconds", ["nan", "-5", "inf", "-inf"])
def test_seconds_between_checkpoints_are_some(
    ganbench: Callable[..., SimpleNamespace], monkeypatch: pytest.MonkeyPatch, seconds: str
) -> None:
    command = ("train", "--config", DIGITS, "--out", "t.json", "--dry-run")
    given = ganbench(*command, "--checkpoint-seconds", seconds)
    monkeypatch.setenv("GANBENCH_CHECKPOINT_SECONDS", seconds)
    for actual in (given, ganbench(*command)):
        assert (actual.code, actual.out) == (2, "")
        assert actual.err.endswith(f"got {float(seconds)}; give seconds from 0 on, as in 60\n")


@pytest.mark.parametrize("name", ["../../x", "/etc", "", "a b", "x" * 5_000, "\x1b[31m", "Tiny"])
def test_a_suite_is_no_path(ganbench: Callable[..., SimpleNamespace], name: str) -> None:
    command = ("fetch", "--config", DIGITS, "--out", "d.json", "--dry-run")
    given = ganbench(*command, "--suite", name)
    assert given.code == 2
    assert given.err.startswith("--suite (or GANBENCH_SUITE): got ")
    assert given.err.endswith("; give a suite's name: a-z, 0-9 and _\n")
    assert given.err[:-1].isprintable()
