"""What training prints: a line a stage, a bar over the epochs, and a table at the end."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console as RichConsole
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from models.artifact import Artifact
from train.evaluate import Metrics
from train.fit import Epoch


class Console:
    """The terminal of a training; plain lines where it is no terminal. Standard output is left to the result."""

    def __init__(self) -> None:
        self._rich = RichConsole(highlight=False, stderr=True)

    def say(self, line: str) -> None:
        """Print one line."""
        self._rich.print(line, markup=False, soft_wrap=True)

    @contextmanager
    def epochs(self, total: int) -> Iterator[Callable[[Epoch], None]]:
        """A progress bar; the yielded function takes each epoch as it ends."""
        columns = (
            TextColumn("fitting  "),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]}"),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self._rich) as progress:
            task = progress.add_task("fit", total=total, loss="")

            def advance(epoch: Epoch) -> None:
                losses = f"{epoch.training_loss:.4f}, held out {epoch.validation_loss:.4f}"
                progress.update(task, completed=epoch.number, loss=losses)

            yield advance

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
            ("cost an applicant", metrics.cost, f"declining everyone {metrics.cost_of_declining_all:.3f}"),
            ("calibration slope", metrics.calibration_slope, "1 is calibrated"),
        )
        for name, value, note in rows:
            table.add_row(name, f"{value:.3f}", note)
        self._rich.print(table)
