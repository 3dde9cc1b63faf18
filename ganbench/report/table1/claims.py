"""A verdict for each claim of the paper: claims.yaml and the records, nothing else."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import pandas as pd
from pydantic import Field, PositiveInt, model_validator

from ganbench.config import Frozen, load
from ganbench.inputs import SHIPPED
from ganbench.published import PaperColumn
from ganbench.records import Metric, read_record
from ganbench.report.collect import ExperimentResults, holds
from ganbench.report.statistics import seed_mean
from ganbench.report.table1.components import Range
from ganbench.report.table1.memory import copied, memory_verdict
from ganbench.report.table1.rows import PAPERS_PROTOCOL, one_protocol
from ganbench.report.table1.table import NONE, PrintedTable
from ganbench.report.table1.variance import draws_of
from ganbench.report.table1.verdicts import (
    EQUIVALENCE,
    Runs,
    Verdict,
    cell_verdict,
    inside_prediction,
    published,
    rank,
    ranking_verdict,
)
from ganbench.report.theory.outputs import theory_experiments

CLAIMS = SHIPPED / "paper" / "claims.yaml"
LEGEND = (
    "Rule for a cell: reproduced when the 90 % t interval over at least 5 seeds lies within half "
    "the gap to the neighbouring row of Table 1 (MNIST 5.5 nats, TFD 26.5); higher or lower when "
    "the 95 % interval lies wholly outside; else inconclusive. A place: the same between the "
    "neighbours' numbers. No memory: every seed's share of copies (90 % interval) nearer to that "
    "of held-out images than to 1. Theory: every measured number within the bound set beforehand. "
    "Last column: whether the paper's number lies where one more seed of ours would (95 %); a wide "
    "interval makes that a yes and never a reproduced."
)


class _Claim(Frozen):
    id: str = Field(pattern="^[a-z0-9_]+$", description="Its name in tables of numbers.")
    statement: str = Field(description="In a few words.")
    source: str = Field(description="Section, table, figure or theorem of the paper.")


class TableClaim(_Claim):
    """A number or a place of Table 1, or that the model behind it is no memory."""

    rule: Literal["cell", "ranking", "memory"]
    column: PaperColumn = Field(description="Of Table 1.")
    budget_epochs: PositiveInt = Field(description="Epochs of a run as long as the paper's.")


class BoundClaim(_Claim):
    """A statement of the theory."""

    rule: Literal["bound"]
    metrics: tuple[str, ...] = Field(
        description="Of theory records; all must hold.", strict=False, min_length=1
    )


class Claims(Frozen):
    """The file."""

    claims: tuple[Annotated[TableClaim | BoundClaim, Field(discriminator="rule")], ...] = Field(
        description="In the order of the table.", strict=False
    )

    @model_validator(mode="after")
    def _ids_differ(self) -> "Claims":
        seen: set[str] = set()
        for claim in self.claims:
            if claim.id in seen:
                raise ValueError(f"id {claim.id!r} is given twice")
            seen.add(claim.id)
        return self


@dataclass(frozen=True)
class Judged:
    """One row: a claim, and what one experiment says to it.

    Attributes:
        claim: its id.
        statement: the claim.
        source: its place in the paper.
        experiment: title of ours; empty where none ran.
        paper: what the paper says.
        ours: what we found.
        interval: nats, 95 % t interval over seeds.
        equivalence: nats, the 90 % interval that decides whether it is reproduced.
        seeds: behind it.
        protocol: of the likelihood, or what was measured instead.
        verdict: by the rule.
        inside_prediction: whether the paper's number lies where one more seed of ours would.
    """

    claim: str
    statement: str
    source: str
    verdict: Verdict
    experiment: str = ""
    paper: str = ""
    ours: str = ""
    interval: Range | None = None
    equivalence: Range | None = None
    seeds: int | None = None
    protocol: str = ""
    inside_prediction: bool | None = None


def judge(
    experiments: Sequence[ExperimentResults],
    theory: Sequence[Metric],
    claims: Claims | None = None,
) -> list[Judged]:
    """Returns a verdict for each claim and each experiment that judge_claim to it.

    Args:
        experiments: of the suite.
        theory: all metrics of its theory records.
        claims: those of the source tree, if None.

    Raises:
        ConfigError: the file of claims is malformed.
    """
    rows: list[Judged] = []
    for claim in (claims or load(Claims, CLAIMS)).claims:
        if isinstance(claim, BoundClaim):
            rows.append(_bound(claim, theory))
            continue
        able = [one for one in experiments if one.experiment.paper_column == claim.column]
        judge_claim = _memory if claim.rule == "memory" else _table_claim
        rows += [judge_claim(claim, one) for one in able] or [_not_run(claim)]
    return rows


def theory_metrics(suite_config: Path, results: Path) -> list[Metric]:
    """Returns all metrics of a suite's theory records."""
    records = [
        read_record(results / name / "theory.json") for name, *_ in theory_experiments(suite_config)
    ]
    return [metric for record in records for metric in record.metrics]


def _not_run(claim: _Claim) -> Judged:
    return Judged(claim.id, claim.statement, claim.source, "not run")


def _runs(claim: TableClaim, results: ExperimentResults) -> Runs:
    return Runs(
        tuple(draws[0] for draws in draws_of(results).values()),
        len(results.seeds_with("diverged")),
        not results.seeds_with("data_not_available"),
        results.experiment.epochs >= claim.budget_epochs,
        _protocol(results),
    )


def _table_claim(claim: TableClaim, results: ExperimentResults) -> Judged:
    runs = _runs(claim, results)
    scores = runs.scores
    cell = claim.rule == "cell"
    paper = published(claim.column)
    row = Judged(
        claim=claim.id,
        statement=claim.statement,
        source=claim.source,
        verdict=(cell_verdict if cell else ranking_verdict)(runs, claim.column),
        experiment=results.experiment.title,
        paper=f"{paper:g}" if cell else _place(claim.column, paper),
    )
    if not scores:
        return row
    average = seed_mean(scores)
    return replace(
        row,
        ours=f"{average.mean:.1f}" if cell else _place(claim.column, average.mean),
        interval=average.interval,
        equivalence=seed_mean(scores, EQUIVALENCE).interval,
        seeds=len(scores),
        protocol=runs.protocol,
        inside_prediction=inside_prediction(scores, paper) if cell else None,
    )


def _place(column: PaperColumn, score: float) -> str:
    return f"{rank(column, score)} of 4"


def _memory(claim: TableClaim, results: ExperimentResults) -> Judged:
    shares = copied(results)
    # The likelihood's protocol has no part in it.
    runs = replace(_runs(claim, results), protocol=PAPERS_PROTOCOL)
    return Judged(
        claim=claim.id,
        statement=claim.statement,
        source=claim.source,
        verdict=memory_verdict(runs, shares),
        experiment=results.experiment.title,
        paper="no copies",
        ours=str(shares or ""),
        seeds=len(shares.seeds) if shares else None,
        protocol="copied share",
    )


def _protocol(results: ExperimentResults) -> str:
    """That of the records; of the settings where no seed finished."""
    checkpoint = results.experiment.evaluation.checkpoints[0]
    scores = [
        results.stages["evaluate"][seed].metric(
            "log_likelihood", checkpoint=checkpoint, split="test"
        )
        for seed in results.seeds_with("ok")
    ]
    settings = results.experiment.evaluation
    return one_protocol(scores, results.experiment.title) if scores else settings.protocol


def _bound(claim: BoundClaim, theory: Iterable[Metric]) -> Judged:
    bounds = [one for one in theory if one.name in claim.metrics and "bound" in one.labels]
    if {one.name for one in bounds} != set(claim.metrics):
        return _not_run(claim)
    held = [one for one in bounds if holds(one)]
    broken = ", ".join(one.name for one in bounds if one not in held)
    return Judged(
        claim=claim.id,
        statement=claim.statement,
        source=claim.source,
        paper="holds",
        ours=f"{len(held)} of {len(bounds)} bounds hold" + (f"; not {broken}" if broken else ""),
        protocol="theory",
        verdict="not reproduced" if broken else "reproduced",
    )


COLUMNS = (
    "Claim",
    "Where",
    "Experiment",
    "Paper",
    "Ours",
    "95 % interval",
    "90 % interval",
    "Seeds",
    "Protocol",
    "Verdict",
    "Paper inside one more seed's interval",
)


def claims_table(rows: Sequence[Judged]) -> tuple[PrintedTable, str]:
    """Returns the table of verdicts, and the same as csv."""
    cells = [
        (
            row.statement,
            row.source,
            row.experiment or NONE,
            row.paper or NONE,
            row.ours or NONE,
            _range(row.interval),
            _range(row.equivalence),
            NONE if row.seeds is None else str(row.seeds),
            row.protocol or NONE,
            row.verdict,
            {None: NONE, True: "yes", False: "no"}[row.inside_prediction],
        )
        for row in rows
    ]
    table = PrintedTable("The paper's claims, one by one", COLUMNS, tuple(cells), (LEGEND,))
    flat = []
    for row in rows:
        values = asdict(row)
        for name in ("interval", "equivalence"):
            low, high = values.pop(name) or (None, None)
            values |= {f"{name}_low": low, f"{name}_high": high}
        flat.append(values)
    return table, pd.DataFrame(flat).to_csv(index=False, lineterminator="\n")


def _range(values: Range | None) -> str:
    return NONE if values is None else f"{values[0]:.1f} to {values[1]:.1f}"
