"""The files of the page: `index.html` and `figures.json` in a folder, each replaced as a whole.

Owns names and modes: the page has shares of applicants by value, so only the user of the service reads it, as all
records. A reader sees the old page or the new one, and the figures first.
"""

import os
from pathlib import Path

import msgspec

from monitoring.records import private
from monitoring.report.figures import Figures
from monitoring.report.page import page
from monitoring.report.place import FIGURES, INDEX


def write(folder: Path, figures: Figures) -> Path:
    """Write both files into `folder`, made if it is missing; return the path of the page."""
    private.make_folder(folder)
    content = msgspec.json.format(msgspec.json.encode(figures)) + b"\n"
    _replace(folder / FIGURES, content)
    _replace(folder / INDEX, page(figures).encode())
    return folder / INDEX


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, private.FILE), "wb") as file:
        file.write(content)
    temporary.replace(path)
