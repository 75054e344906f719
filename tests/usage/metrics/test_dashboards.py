"""The dashboard and the alerts: whole, and parsed by Prometheus's own promtool."""

import re
import subprocess
from pathlib import Path

import yaml

from slurm_mig.usage.metrics.exposition import Exposition
from slurm_mig.usage.monitor.snapshot import ASLEEP, GpuLayout
from tests.cluster import prometheus
from tests.usage.metrics import board
from tests.usage.metrics.moments import (
    H100,
    entry,
    exposition,
    on_h100,
    snapshot,
    whole_a100,
    write_map,
)
from tests.usage.metrics.server import ALERTS

_NAME = re.compile(r"\bslurm_mig_\w+")


def promtool(*words: str | Path, given: bytes = b"", cwd: Path | None = None) -> str:
    """What it says of something that is right."""
    command = [prometheus.find().promtool, *words]
    done = subprocess.run(command, input=given, capture_output=True, cwd=cwd)
    said = done.stdout.decode() + done.stderr.decode()
    assert done.returncode == 0, said
    return said


def everything(root: Path) -> Exposition:
    """A moment in which every metric there is has a value."""
    conf = root / "gres.conf"
    conf.write_text("")
    told_of = {"path": str(conf), "mtime_ns": conf.stat().st_mtime_ns, "crc32": 0}
    write_map(root, [entry(0, 9), entry(1, 10)], gres_conf=told_of)
    busy = on_h100(9, xids=((31, 1, True),))
    assert busy.activity is not None
    busy = busy._replace(activity=busy.activity._replace(fp16=0.5))
    made = exposition(root, users=True)
    layout = (GpuLayout(H100, True, ((9, 0, "MIG-9"), (10, 0, "MIG-10"))),)
    made.latest = snapshot(busy, whole_a100(), layout=layout)
    return made


def names(made: Exposition) -> set[str]:
    return {sample.name for family in made.collect() for sample in family.samples}


def test_promtool_finds_nothing_to_say_about_the_metrics(tmp_path: Path) -> None:
    made = everything(tmp_path)
    assert promtool("check", "metrics", given=made.text()) == ""
    made.latest = snapshot(gpus=(), jobs=(), state=ASLEEP)
    assert promtool("check", "metrics", given=made.text()) == ""
    assert promtool("check", "metrics", given=exposition(tmp_path / "nowhere").text()) == ""


def test_the_alerts_come_where_they_must_and_nowhere_else() -> None:
    assert "SUCCESS" in promtool("check", "rules", ALERTS)
    cases = Path(__file__).with_name("alerts_test.yml")
    assert "SUCCESS" in promtool("test", "rules", cases)
    (group,) = yaml.safe_load(ALERTS.read_text())["groups"]
    alerts = {rule["alert"] for rule in group["rules"]}
    tested = {
        test["alertname"]
        for case in yaml.safe_load(cases.read_text())["tests"]
        for test in case["alert_rule_test"]
        if test["exp_alerts"]
    }
    assert alerts == tested
    for rule in group["rules"]:
        assert rule["annotations"].keys() == {"summary", "description"}
        assert rule["labels"]["severity"] in ("info", "warning", "critical")


def test_the_alerts_ask_for_metrics_that_there_are(tmp_path: Path) -> None:
    asked = set(_NAME.findall(ALERTS.read_text()))
    assert asked <= names(everything(tmp_path))


def test_the_dashboard_asks_for_metrics_that_there_are(tmp_path: Path) -> None:
    asked = {
        name for _, promql in board.expressions(board.load()) for name in _NAME.findall(promql)
    }
    assert len(asked) > 20
    assert asked <= names(everything(tmp_path))


def test_prometheus_parses_every_question_of_the_dashboard(tmp_path: Path) -> None:
    asked = board.expressions(board.load())
    rules = [{"record": f"q:{at}", "expr": promql} for at, (_, promql) in enumerate(asked)]
    assert not [rule for rule in rules if "$" in rule["expr"]]
    file = tmp_path / "questions.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool("check", "rules", file)


def test_the_dashboard_is_whole() -> None:
    made = board.load()
    found = list(board.panels(made))
    ids = [panel["id"] for panel in found]
    assert len(set(ids)) == len(ids)
    shown = [panel for panel in found if panel["type"] != "row"]
    source = {"type": "prometheus", "uid": "${datasource}"}
    for panel in shown:
        assert panel["datasource"] == source, panel["title"]
        assert all(target["datasource"] == source for target in panel["targets"])
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
    variables = {variable["name"]: variable for variable in made["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    used = set(re.findall(r"\$\{?(\w+)", str(shown))) - {"__rate_interval", "__all"}
    assert used == set(variables)


def test_no_panel_covers_another() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in board.panels(board.load()):
        place = panel["gridPos"]
        mine = {
            (place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])
        }
        assert not mine & taken, panel["title"]
        taken |= mine
