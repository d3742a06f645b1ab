"""The files of the page, and the command that writes them."""

import json
import stat

from monitoring.__main__ import main
from monitoring.report.writing import write
from tests.monitoring.drift.conftest import draw


def test_the_page_and_its_figures_are_replaced_as_a_whole_and_for_the_user_alone(tmp_path, make_figures):
    for rows in (1, 2):
        path = write(tmp_path / "monitor", make_figures(changes=(f"change {rows}",)))
    assert "change 2" in path.read_text()
    assert json.loads((tmp_path / "monitor/figures.json").read_bytes())["changes"] == ["change 2"]
    assert sorted(file.name for file in path.parent.iterdir()) == ["figures.json", "index.html"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}


def test_the_command_writes_the_page_and_says_where(version, served, settings, monkeypatch, tmp_path, capsys):
    version()
    served(0, **draw(60, seed=1))
    monkeypatch.setenv("SCORER_DIRECTORY", settings.directory)
    assert main(["report"]) == 0
    assert capsys.readouterr().out == f"{settings.directory}/monitor/index.html\n"
    assert main(["report", "--out", str(tmp_path / "elsewhere")]) == 0
    assert (tmp_path / "elsewhere/index.html").exists()
    capsys.readouterr()
    assert main(["report", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["windows"][0]["rows"] == 60
