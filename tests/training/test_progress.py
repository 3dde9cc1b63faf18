"""What a log shows of a run, and what a terminal shows."""

import io
import re
from collections.abc import Callable

import pytest
from rich.console import Console

from ganbench.status import LEFT
from ganbench.training import progress
from ganbench.training.loop import Run
from ganbench.training.progress import Progress

LINE = (
    r"tiny, seed 0: epoch {epoch}, loss D \d\.\d{{4}}, loss G \d\.\d{{4}}, D\(x\) 0\.\d{{3}}, "
    r"D\(G\(z\)\) 0\.\d{{3}}{monitored}, \d+\.\d ms an update, {left} min left"
)
MONITORED = r", validation -?\d+\.\d nats at sigma \d\.\d{3}(, COLLAPSED: .* alike)?"


def shown(run: Run) -> None:
    with Progress("tiny", run) as bar:
        while not run.finished:
            bar.epoch(run, run.run_epoch(lambda: bar.update(run)))
            bar.update(run)


def test_a_log_has_one_plain_line_an_epoch(
    new_run: Callable[..., Run], capsys: pytest.CaptureFixture[str]
) -> None:
    shown(new_run(monitor_every=2))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    for epoch, line in enumerate(lines, 1):
        monitored = MONITORED if epoch % 2 == 0 else ""
        left = r"0\.0" if epoch == 4 else r"\d+\.\d"
        pattern = LINE.format(epoch=epoch, monitored=monitored, left=left)
        assert re.fullmatch(pattern, line), line
        # `ganbench status` reads the minutes that are left.
        assert [one[:2] for one in LEFT.findall(line)] == [("0", str(epoch))]


def test_a_collapsed_generator_and_a_diverged_seed_are_named(
    new_run: Callable[..., Run], capsys: pytest.CaptureFixture[str]
) -> None:
    run = new_run(0, 1)
    with Progress("tiny", run) as bar:
        rows = run.run_epoch(lambda: None)
        rows[0]["collapse_share"] = 0.4
        run.progress[1].failure = "epoch 1: weights not finite"
        bar.epoch(run, rows)
    first, second = capsys.readouterr().out.splitlines()
    assert ", COLLAPSED: 40% of the pairs of samples are alike, " in first
    assert second == "tiny, seed 1: diverged: epoch 1: weights not finite"


def test_time_left_counts_the_updates_of_this_start(
    new_run: Callable[..., Run], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A resumed run of 12 updates that needs 2 minutes for each of those it still has to do."""
    run = new_run()
    run.run_epoch(lambda: None)
    times = iter([0.0, 360.0])
    with monkeypatch.context() as patch, Progress("tiny", run) as bar:
        # The bar was made before: only the clock of the line is replaced.
        bar.started = next(times)
        patch.setattr(progress.time, "monotonic", lambda: next(times))
        rows = run.run_epoch(lambda: None)
        bar.epoch(run, rows)
    assert "120000.0 ms an update, 12.0 min left" in capsys.readouterr().out


def test_a_terminal_has_a_bar(new_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(force_terminal=True, width=100, record=True, file=io.StringIO())
    monkeypatch.setattr(progress, "Console", lambda: console)
    shown(new_run())
    text = console.export_text()
    assert "12/12 updates" in text
    assert "epoch 4" in text
