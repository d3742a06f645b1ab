"""What training prints: one line per stage, a progress bar over the training, and a table at the end."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console as RichConsole
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from models.artifact import Artifact
from train.evaluation.numbers import format_number
from train.evaluation.results import Metrics, Verdict, format_figure

STYLES = {
    "pass": "pass",
    "warn": "[yellow]warn[/]",
    "waived": "[yellow]waived[/]",
    "not judged": "[yellow]not judged[/]",
    "fail": "[red]fail[/]",
}


class Console:
    """Prints progress to standard error, as plain lines if that is not a terminal; standard output holds the result."""

    def __init__(self) -> None:
        self._rich = RichConsole(highlight=False, stderr=True)

    def print(self, line: str) -> None:
        """Print one line."""
        self._rich.print(line, markup=False, soft_wrap=True)

    @contextmanager
    def progress(self, title: str, total: int) -> Iterator[Callable[[str], None]]:
        """A progress bar; the yielded function advances it by one and sets the text beside it."""
        columns = (
            TextColumn(title),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[text]}"),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self._rich) as progress:
            task = progress.add_task(title, total=total, text="")
            yield lambda text: progress.update(task, advance=1, text=text)

    def verdicts(self, verdicts: Sequence[Verdict], latency_ratio: float) -> None:
        """The gates, one row each."""
        table = Table(title="gates", title_justify="left")
        for head in ("verdict", "gate", "found", "allowed"):
            table.add_column(head)
        for verdict in verdicts:
            latency = format_number(latency_ratio, verdict.unit)
            found = format_figure(verdict, latency)
            table.add_row(STYLES[verdict.status], verdict.gate, found, verdict.bound)
        self._rich.print(table)
        for verdict in verdicts:
            if verdict.status in ("warn", "fail"):
                self.print(f"{verdict.status}      {verdict.gate}: {verdict.remedy}")

    def summary(self, published: Artifact, metrics: Metrics) -> None:
        """The table at the end."""
        table = Table(title=f"{published.tag} on {metrics.rows} test rows", title_justify="left")
        table.add_column("metric")
        table.add_column("value", justify="right")
        table.add_column("for comparison")
        rows = (
            ("ROC AUC", metrics.roc_auc, "0.5 is chance"),
            ("KS", metrics.ks, ""),
            ("Brier score", metrics.brier, "lower is better"),
            ("cost per applicant", metrics.cost, f"declining everyone {metrics.cost_of_declining_all:.3f}"),
            ("calibration slope", metrics.calibration_slope, "1 is calibrated"),
        )
        for name, value, note in rows:
            table.add_row(name, f"{value:.3f}", note)
        self._rich.print(table)
