"""Templates: the package's own, or a site's in /etc/slurm-mig/templates."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from stat import S_ISREG
from types import TracebackType

from jinja2 import FileSystemLoader, StrictUndefined, TemplateError, TemplateSyntaxError
from jinja2.sandbox import SandboxedEnvironment

from slurm_mig.errors import SlurmMigError

# What an expression in a site's template can raise, its own syntax apart.
_FAILURES = (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError)


def site_template(name: str, folder: Path) -> Path | None:
    """The site's own template of this name in `folder`, if it has one.

    Raises SlurmMigError where it cannot be told: ours must not step in for one unread.
    """
    path = folder / name
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise SlurmMigError(f"{path}: {error.strerror}") from error
    if not S_ISREG(mode):
        raise SlurmMigError(f"{path}: not a file")
    return path


def render(name: str, folder: Path, values: Mapping[str, Sequence[object]]) -> str:
    """Fill the template `name` in, looked for in `folder` and then among the package's own.

    Templates run in jinja2's sandbox, and a name that was not given is an error.
    Raises SlurmMigError, which names the template and the line.
    """
    environment = SandboxedEnvironment(
        loader=FileSystemLoader([folder, _own_templates()]),
        undefined=StrictUndefined,
        autoescape=False,  # a configuration file, not a page
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    try:
        return environment.get_template(name).render(values)
    except TemplateSyntaxError as error:
        raise SlurmMigError(f"{error.filename}:{error.lineno}: {error.message}") from error
    except _FAILURES as error:
        where = _where(error.__traceback__, name) or str(folder / name)
        raise SlurmMigError(f"{where}: {error}") from error
    except OSError as error:
        raise SlurmMigError(f"{error.filename}: {error.strerror}") from error


def _own_templates() -> Path:
    package = Path(__file__).resolve().parents[1]
    installed = package / "data" / "templates"
    return installed if installed.is_dir() else package.parent / "templates"


def _where(trace: TracebackType | None, name: str) -> str | None:
    """The innermost line of the template in a traceback (jinja2 writes it in there)."""
    found = None
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if Path(file).name == name:
            found = f"{file}:{trace.tb_lineno}"
        trace = trace.tb_next
    return found
