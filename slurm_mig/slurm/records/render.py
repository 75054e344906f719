"""jinja2, in its sandbox: templates are sites' own, and a mistake in one is told with its place."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from jinja2 import FileSystemLoader, StrictUndefined, TemplateError, TemplateSyntaxError
from jinja2.sandbox import SandboxedEnvironment

from slurm_mig.errors import SlurmMigError

# What an expression in a site's template can raise, its own syntax apart.
_FAILURES = (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError)


def render(name: str, folders: Sequence[Path], values: Mapping[str, Sequence[object]]) -> str:
    """Fill in the template `name` of the first of these folders that has it.

    A name that was not given is an error. Raises SlurmMigError with template and line.
    """
    environment = SandboxedEnvironment(
        loader=FileSystemLoader(folders),
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
        where = _where(error.__traceback__, name) or str(folders[0] / name)
        raise SlurmMigError(f"{where}: {error}") from error
    except OSError as error:
        raise SlurmMigError(f"{error.filename}: {error.strerror}") from error


def _where(trace: TracebackType | None, name: str) -> str | None:
    """The innermost line of the template in a traceback (jinja2 writes it in there)."""
    found = None
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if Path(file).name == name:
            found = f"{file}:{trace.tb_lineno}"
        trace = trace.tb_next
    return found
