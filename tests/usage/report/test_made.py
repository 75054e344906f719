"""The records that pages are made of here are such as hooks write (docs/usage.schema.json)."""

import json
from pathlib import Path

import jsonschema
import pytest

from tests.usage.report import made
from tests.usage.report.test_pages import JOBS, MIXED

SCHEMA = Path(__file__).resolve().parents[3] / "docs" / "usage.schema.json"
VALIDATOR = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))


@pytest.mark.parametrize("name", [*JOBS, "mixed"])
def test_records_of_pages(name: str) -> None:
    for record in JOBS.get(name, MIXED):
        VALIDATOR.validate(json.loads(made.line(record)))
