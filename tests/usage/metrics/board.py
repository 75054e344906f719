"""The questions that the Grafana dashboard asks."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BOARD = Path(__file__).resolve().parents[3] / "dashboards/slurm-mig.json"
_VALUES = {"$__rate_interval": "1m", "$instance": ".*", "$profile": ".*", "$hpc_job": ".*"}


def load() -> dict[str, Any]:
    made = json.loads(BOARD.read_text())
    assert isinstance(made, dict)
    return made


def panels(board: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for panel in board["panels"]:
        yield panel
        yield from panel.get("panels", ())


def expressions(board: dict[str, Any]) -> list[tuple[str, str]]:
    """Title of the panel and PromQL, every variable filled in as "All"."""
    found = [
        (panel["title"], filled(target["expr"]))
        for panel in panels(board)
        for target in panel.get("targets", ())
    ]
    for variable in board["templating"]["list"]:
        if asked := re.fullmatch(r"label_values\((.*), \w+\)", variable.get("definition", "")):
            found.append((variable["name"], filled(asked[1])))
    return found


def filled(promql: str) -> str:
    for name, value in _VALUES.items():
        promql = promql.replace(name, value)
    return promql
