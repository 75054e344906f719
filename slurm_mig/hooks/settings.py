"""/etc/slurm-mig/config.toml, table [hooks]: all optional. A typo must not drain a cluster."""

from slurm_mig.errors import HookError
from slurm_mig.system import rootfiles

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER = "/etc/slurm-mig"
NAME = "config.toml"
_LIMIT = 1 << 20
_WORDS = {
    "foreign_process": ("drain", "log", "kill", "off"),
    "leftovers": ("kill", "log", "off"),
}


class Settings:
    """What a site may choose. `problem` says why the defaults are used instead, if they are."""

    def __init__(self) -> None:
        self.foreign_process = "log"
        self.leftovers = "kill"
        self.leftover_wait_s = 5.0
        self.log_file = "/var/log/slurm-mig/hooks.log"
        self.export: list[str] = []
        self.gpustat_dir = ""
        self.dcgm_job_mapping_dir = ""
        self.problem: str | None = None

    @property
    def job_maps(self) -> bool:
        """Whether any other program is told which job has which slice."""
        return bool(self.gpustat_dir or self.dcgm_job_mapping_dir)


def load(root: str) -> Settings:
    """The site's settings, or the defaults with the reason; never raises."""
    settings = Settings()
    try:
        data = rootfiles.read_in(root, FOLDER, NAME, _LIMIT)
        return parse(data.decode())
    except FileNotFoundError:
        pass
    except OSError as error:
        settings.problem = f"{FOLDER}/{NAME}: {error.strerror}"
    except (HookError, ValueError) as error:  # ValueError: not UTF-8
        settings.problem = f"{FOLDER}/{NAME}: {error}"
    return settings


def parse(text: str) -> Settings:
    """Raises HookError naming the first thing that is wrong; other tables are not looked at."""
    from slurm_mig.hooks import plaintoml  # only where there is something to parse

    settings, tables = Settings(), plaintoml.tables(text)
    table = (_any_toml(text) if tables is None else tables).get("hooks", {})
    if not isinstance(table, dict):
        raise HookError("hooks is no table")
    for name, value in table.items():
        if name == "problem" or name not in vars(settings):
            raise HookError(f"[hooks] has no setting {name!a}")
        setattr(settings, name, _checked(name, value, getattr(settings, name)))
    return settings


def _any_toml(text: str) -> "Mapping[str, object]":
    import tomllib  # rare, and dear

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise HookError(str(error)) from None


def _checked(name: str, value: object, default: object) -> object:
    if name in _WORDS:
        if value not in _WORDS[name]:
            raise HookError(f"{name} is one of {', '.join(_WORDS[name])}")
        return value
    if isinstance(default, float):
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 60:
            raise HookError(f"{name} is a number of seconds, at most 60")
        return float(value)
    if isinstance(default, list):
        if not isinstance(value, list) or not all(_is_name(item) for item in value):
            raise HookError(f"{name} is a list of names of variables")
        return value
    if not isinstance(value, str) or (value and value[0] != "/"):
        raise HookError(f"{name} is a path from /, or empty")
    return value


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value.isidentifier() and value.isascii()
