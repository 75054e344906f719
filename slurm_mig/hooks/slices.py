"""The nouns of the hooks: a slice as the gres map has it, and the map. Strict, and pure.

Plain classes with slots: a named tuple or a dataclass takes longer to define than to use.
"""

from slurm_mig.errors import HookError

VERSION = 1
_HIGH = (1 << 31) - 1


class Mig:
    """What makes a slice more than its GPU; the fields as `model.MigDevice` names them."""

    __slots__ = ("ci_id", "ci_minor", "gi_id", "gi_minor", "placement", "profile", "uuid")

    def __init__(self, entry: dict[str, object]) -> None:
        self.uuid = uuid_of(entry, "uuid")
        self.profile = text_of(entry, "profile")
        self.gi_id = number_of(entry, "gi_id")
        self.ci_id = number_of(entry, "ci_id")
        self.gi_minor = number_of(entry, "gi_minor")
        self.ci_minor = number_of(entry, "ci_minor")
        place = entry.get("placement")
        self.placement = None if place is None else _placement(dict_of(place, "placement"))


class Slice:
    """What one gres index stands for: a MIG slice, or a whole GPU (`mig` is None).

    `files` are (path, major, minor), in the order parent, GI, CI. `entry` is all of it as it
    stands in the map.
    """

    __slots__ = (
        "entry", "files", "gpu_index", "gpu_minor", "gpu_name", "gpu_uuid", "gres_index", "mig",
        "type",
    )  # fmt: skip

    def __init__(self, entry: dict[str, object]) -> None:
        self.entry = entry
        self.gres_index = number_of(entry, "gres_index")
        self.type = text_of(entry, "type", empty=True)
        self.gpu_index = number_of(entry, "gpu_index")
        self.gpu_minor = number_of(entry, "gpu_minor")
        self.gpu_uuid = uuid_of(entry, "gpu_uuid")
        self.gpu_name = text_of(entry, "gpu_name", empty=True)
        mig = entry.get("mig")
        self.mig = None if mig is None else Mig(dict_of(mig, "mig"))
        self.files = tuple(_file(dict_of(file, "files")) for file in list_of(entry, "files"))
        if len(self.files) != (1 if mig is None else 3):
            raise HookError(f"gres {self.gres_index} has {len(self.files)} device files")

    @property
    def name(self) -> str:
        """gpuG.giI.ciC by the GPU's minor, or gpuG: names the binding's file, and in the log."""
        if self.mig is None:
            return f"gpu{self.gpu_minor}"
        return f"gpu{self.gpu_minor}.gi{self.mig.gi_id}.ci{self.mig.ci_id}"

    @property
    def uuid(self) -> str:
        """What CUDA_VISIBLE_DEVICES takes."""
        return self.gpu_uuid if self.mig is None else self.mig.uuid

    @property
    def own_files(self) -> tuple[tuple[str, int, int], ...]:
        """The device files that tell who may use it: a MIG slice shares its parent's."""
        return self.files[1:] or self.files


class GresMap:
    """The whole map. `constrained`: whether jobs can open only their own (None: not known).

    An entry is looked at when it is asked for: a hook has no time for its neighbours' 55.
    """

    __slots__ = (
        "_entries", "_slices", "boot_id", "constrained", "generation", "gres_conf", "node",
    )  # fmt: skip

    def __init__(self, data: dict[str, object]) -> None:
        if data.get("version") != VERSION:
            raise HookError(f"it is of version {data.get('version')!r}, not {VERSION}")
        self.node = text_of(data, "node")
        self.boot_id = text_of(data, "boot_id")
        self.generation = number_of(data, "generation")
        self.constrained = data.get("constrained")
        if self.constrained not in (True, False, None):
            raise HookError("constrained is neither true, false nor null")
        self.gres_conf = _conf_file(data.get("gres_conf"))
        self._entries = list_of(data, "gres")
        self._slices: dict[int, Slice] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def at(self, gres_index: int) -> Slice:
        """What this index stands for. HookError if the map does not say it properly."""
        if gres_index not in self._slices:
            found = Slice(dict_of(self._entries[gres_index], "gres"))
            if found.gres_index != gres_index:
                raise HookError(f"gres {found.gres_index} stands at place {gres_index}")
            self._slices[gres_index] = found
        return self._slices[gres_index]

    @property
    def slices(self) -> tuple[Slice, ...]:
        """All of them. HookError as `at`."""
        return tuple(self.at(index) for index in range(len(self)))

    @property
    def types(self) -> set[str]:
        """The types there are. HookError as `at`."""
        return {text_of(dict_of(entry, "gres"), "type", empty=True) for entry in self._entries}


def dict_of(value: object, what: str) -> dict[str, object]:
    """`value`, if it is a JSON object; HookError otherwise. So with the four below."""
    if not isinstance(value, dict):
        raise HookError(f"{what} is no object")
    return value


def list_of(entry: dict[str, object], key: str) -> list[object]:
    value = entry.get(key)
    if not isinstance(value, list):
        raise HookError(f"{key} is no list")
    return value


def text_of(entry: dict[str, object], key: str, *, empty: bool = False) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not (value or empty) or len(value) > 256:
        raise HookError(f"{key} is no text")
    return value


def uuid_of(entry: dict[str, object], key: str) -> str:
    """A UUID as NVML prints it: it names files, and goes into a task's environment."""
    value = text_of(entry, key)
    plain = value.replace("-", "").replace("/", "")  # MIG-GPU-.../gi/ci before driver 470.42.01
    if not plain.isascii() or not plain.isalnum():
        raise HookError(f"{key} is no UUID")
    return value


def number_of(entry: dict[str, object], key: str) -> int:
    value = entry.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _HIGH:
        raise HookError(f"{key} is no number from 0 to {_HIGH}")
    return value


def _conf_file(value: object) -> tuple[str, int, int] | None:
    """A file's path, time of change in ns, and the CRC-32 of what the node reads in it."""
    if value is None:
        return None
    entry = dict_of(value, "gres_conf")
    mtime_ns, crc32 = entry.get("mtime_ns"), entry.get("crc32")
    if not isinstance(mtime_ns, int) or not isinstance(crc32, int):
        raise HookError("gres_conf has no state")
    return text_of(entry, "path"), mtime_ns, crc32


def _placement(entry: dict[str, object]) -> tuple[int, int]:
    return number_of(entry, "start"), number_of(entry, "size")


def _file(entry: dict[str, object]) -> tuple[str, int, int]:
    path = text_of(entry, "path")
    if not path.startswith("/dev/") or "/../" in path or "\0" in path:
        raise HookError(f"{path!a} is no device file's path")
    return path, number_of(entry, "major"), number_of(entry, "minor")
