"""Which template is filled in, and by what: a site's by jinja2, our own plain ones directly."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from stat import S_ISREG

from slurm_mig.errors import SlurmMigError
from slurm_mig.slurm.records.plaintemplate import fill

PACKAGE = Path(__file__).resolve().parents[2]


def fill_in(name: str, site: Path, values: Mapping[str, Sequence[object]]) -> str:
    """The template `name` of the folder `site`, or else our own, with these values.

    Raises SlurmMigError, which names the template and the line.
    """
    ours = own_templates()
    if site_template(name, site) is None:
        text = fill((ours / name).read_text(encoding="utf-8"), values)
        if text is not None:
            return text
    from slurm_mig.slurm.records.render import render

    return render(name, (site, ours), values)


def site_template(name: str, site: Path) -> Path | None:
    """The site's own template of this name, if it has one.

    Raises SlurmMigError where it cannot be told: ours must not step in for one unread.
    """
    path = site / name
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise SlurmMigError(f"{path}: {error.strerror}") from error
    if not S_ISREG(mode):
        raise SlurmMigError(f"{path}: not a file")
    return path


def own_templates() -> Path:
    """The folder of the package's templates: in a wheel inside it, in a checkout beside it."""
    installed = PACKAGE / "data" / "templates"
    return installed if installed.is_dir() else PACKAGE.parent / "templates"
