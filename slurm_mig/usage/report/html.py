"""A page as one HTML file that needs nothing else: no script, no network. Names are others'."""

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from slurm_mig.slurm.records.templates import own_templates
from slurm_mig.usage.report.page import Page
from slurm_mig.usage.report.svg import drawing
from slurm_mig.usage.report.svg_curves import time_drawing


def html(page: Page, made: str) -> str:
    """The page; `made` says at its foot when and of what it was made."""
    environment = Environment(
        loader=FileSystemLoader(own_templates()),
        undefined=StrictUndefined,
        autoescape=True,  # user and account names are not ours to trust
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("usage.html.j2")
    return template.render(page=page, drawing=drawing, time_drawing=time_drawing, made=made)
