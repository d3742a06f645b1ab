"""The dashboards are what Grafana reads: by its own types, and by what the files say of each other."""

import json
import os
import shutil
import subprocess

import pytest
import yaml

from tests.conftest import ROOT

GRAFANA = ROOT / "monitoring/grafana"
BOARDS = {path.stem: json.loads(path.read_text()) for path in sorted((GRAFANA / "dashboards").glob("*.json"))}


def test_there_is_a_dashboard_for_each_question():
    assert set(BOARDS) == {"service", "model", "drift", "fairness"}


@pytest.mark.parametrize("name", BOARDS)
def test_panels_have_ids_words_and_a_place_of_their_own(name):
    board = BOARDS[name]
    assert board["uid"] == f"credit-scorer-{name}"
    assert board["description"]
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    taken = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        assert panel["description"].endswith((".", "?"))
        taken |= cells


@pytest.mark.parametrize("name", BOARDS)
def test_every_panel_asks_the_provisioned_data_source(name):
    sources = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yaml").read_text())["datasources"]
    known = [{"type": source["type"], "uid": source["uid"]} for source in sources]
    variables = BOARDS[name]["templating"]["list"]
    assert all(one["datasource"] in known for one in (*BOARDS[name]["panels"], *variables))


def test_compose_mounts_what_is_provisioned():
    compose = yaml.safe_load((ROOT / "deploy/compose/compose.yaml").read_text())["services"]["grafana"]["volumes"]
    mounts = dict(volume.removesuffix(":ro").split(":") for volume in compose if volume.endswith(":ro"))
    places = {(ROOT / "deploy/compose" / source).resolve(): target for source, target in mounts.items()}
    (provider,) = yaml.safe_load((GRAFANA / "provisioning/dashboards/scorer.yaml").read_text())["providers"]
    assert places == {
        GRAFANA / "provisioning": "/etc/grafana/provisioning",
        GRAFANA / "dashboards": provider["options"]["path"],
    }


def check_types(folder, **variables):
    """What `make lint` says of the dashboards in a folder, by Grafana's types and TypeScript's compiler."""
    assert shutil.which("npm"), "npm is missing: install Node.js 20 or newer, Debian's packages nodejs and npm"
    return subprocess.run(
        [ROOT / ".ci/lint-manifests", "grafana"],
        env=os.environ | {"DASHBOARDS": str(folder), "EVERY_CHECK": "1"} | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.slow
@pytest.mark.timeout(150)
def test_the_types_of_grafana_take_them_and_refuse_what_grafana_would_not_read(tmp_path):
    assert check_types(GRAFANA / "dashboards").stderr == ""
    board = BOARDS["service"]

    def write(name, place, key, value):
        wrong = json.loads(json.dumps(board))
        found = wrong
        for step in place:
            found = found[step]
        found[key] = value
        (tmp_path / f"{name}.json").write_text(json.dumps(wrong, indent=2))

    write("unknown_key", ["panels", 0], "colour", "red")
    write("unknown_kind", ["panels", 0], "type", "graph")
    write("not_of_the_options", ["panels", 0, "options"], "colorMode", "loud")
    write("no_query", ["panels", 0, "targets", 0], "expr", 3)
    write("wrong_mode", ["panels", 0, "fieldConfig", "defaults", "thresholds"], "mode", "absolutely")
    done = check_types(tmp_path)
    assert done.returncode == 1
    wrong = {line.split(".json")[0].split("/")[-1] for line in done.stderr.splitlines() if ".json:" in line}
    assert wrong == {path.stem for path in tmp_path.glob("*.json")}
