"""The gres map: what slurmd's numbers (SLURM_JOB_GPUS) mean on this node, read in microseconds.

`slurm-mig gres-map` writes it when slurmd starts.
"""

from slurm_mig.errors import HookError
from slurm_mig.hooks import jsonlight
from slurm_mig.hooks.slices import GresMap, dict_of
from slurm_mig.system import rootfiles
from slurm_mig.system.epoch import FOLDER

NAME = "gres-map.json"
REMEDY = "run `slurm-mig gres-map`, or restart slurmd"
_LIMIT = 4 << 20


def load(root: str) -> GresMap:
    """The map as it is on disk; HookError, with the remedy, if it cannot be had or believed."""
    where = f"{FOLDER}/{NAME}"
    try:
        data = rootfiles.read_in(root, FOLDER, NAME, _LIMIT)
        return parse(data.decode("ascii", "replace"))
    except FileNotFoundError:
        raise HookError(f"{where} is missing: {REMEDY}") from None
    except OSError as error:
        raise HookError(f"{where}: {error.strerror}: {REMEDY}") from None
    except HookError as error:
        raise HookError(f"{where}: {error}: {REMEDY}") from None


def parse(text: str) -> GresMap:
    """Raises HookError for anything that is not a whole and sane map."""
    return GresMap(dict_of(jsonlight.loads(text), "the map"))
