"""Slurm's version, and what it changes in how Slurm reads gres.conf and names MIG slices."""

import re
from typing import NamedTuple, Self

from slurm_mig.errors import SlurmError, UsageError

_VERSION = re.compile(r"(?<![\d.])(\d{2})\.(\d{2})(?:\.(\d{1,2}))?(?![\d])")
_LAST_OF_SERIES = 99


class SlurmVersion(NamedTuple):
    """A release of Slurm, ordered as released. Slurm 22.05 is the oldest that we serve."""

    year: int
    month: int
    micro: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read "24.11.5" or what `slurmd -V` prints ("slurm-wlm 22.05.8", "slurm 24.11.0-0rc1").

        "24.11" means the last release of that series.
        Raises UsageError where no version can be read, or where two numbers are not enough;
        SlurmError for a Slurm that is too old.
        """
        found = _VERSION.search(text)
        if found is None:
            raise UsageError(f"not a Slurm version: {text.strip()!r}; write it as 24.11.5")
        year, month, micro = found.groups()
        version = cls(int(year), int(month), int(micro or _LAST_OF_SERIES))
        if micro is None and (version.year, version.month) == (23, 2):
            raise UsageError(
                "Slurm 23.02 changed the names of MIG slices in 23.02.6: give all three numbers"
            )
        if version < cls(22, 5, 0):
            raise SlurmError(f"Slurm {version} is too old: slurm-mig serves 22.05 and later")
        return version

    def __str__(self) -> str:
        series = f"{self.year:02}.{self.month:02}"
        return series if self.micro == _LAST_OF_SERIES else f"{series}.{self.micro}"

    @property
    def names_slices_as_nvml(self) -> bool:
        """Types end as the MIG device's own name does; before, in slices and rounded GiB."""
        return self >= SlurmVersion(23, 2, 6)

    @property
    def gives_slices_links(self) -> bool:
        """AutoDetect invents a Links matrix per GPU for its slices, which orders them."""
        return self < SlurmVersion(23, 2, 7)

    @property
    def name_buffer(self) -> int:
        """Bytes that AutoDetect has for a device's name, the final NUL among them."""
        return 96 if self >= SlurmVersion(25, 11, 5) else 64

    @property
    def finds_caps_by_minor(self) -> bool:
        """AutoDetect looks slices up by the GPU's minor; before, by its NVML index."""
        return self >= SlurmVersion(22, 5, 6)

    @property
    def wants_whole_sockets(self) -> bool:
        """Cores that are not whole sockets drain the node ("Socket Affinity" in gres.html)."""
        return self >= SlurmVersion(24, 11, 2)
