"""What a simulated machine holds, read from its state and not by NVML: the judges' yardstick."""

from dataclasses import dataclass

from tests.sim.api import Sim


@dataclass(frozen=True)
class Slice:
    """One MIG device. `memory_mib` is its GPU instance's; `profile` names the MIG device."""

    gpu_index: int
    gpu_minor: int
    gpu_uuid: str
    gpu_name: str
    mig_index: int
    uuid: str
    profile: str
    gi_profile: str
    gi_id: int
    ci_id: int
    gi_slices: int
    ci_slices: int
    memory_mib: int
    sm_count: int

    @property
    def place(self) -> tuple[int, int]:
        """How nvitop counts: the GPU's index and the MIG device's on it."""
        return self.gpu_index, self.mig_index

    @property
    def device_name(self) -> str:
        """What NVML calls the MIG device."""
        return f"{self.gpu_name} MIG {self.profile}"

    @property
    def files(self) -> tuple[str, str, str]:
        """Its device files: GPU, GPU instance, compute instance.

        By the formula that follows from the driver's static table (nv-caps.c), so that neither
        the simulator's mig-minors nor its readers are taken at their word.
        """
        gi_minor = 3 + 135 * self.gpu_minor + 9 * self.gi_id
        ci_minor = gi_minor + 1 + self.ci_id
        caps = "/dev/nvidia-caps/nvidia-cap"
        return f"/dev/nvidia{self.gpu_minor}", f"{caps}{gi_minor}", f"{caps}{ci_minor}"


def slices(sim: Sim) -> list[Slice]:
    """All MIG devices of the machine, by GPU and MIG index."""
    found = [
        Slice(
            gpu_index=gpu["gpu_index"],
            gpu_minor=gpu["gpu_minor"],
            gpu_uuid=gpu["uuid"],
            gpu_name=gpu["name"],
            mig_index=ci["mig_index"],
            uuid=ci["uuid"],
            profile=ci["profile"],
            gi_profile=gi["profile"],
            gi_id=gi["gi_id"],
            ci_id=ci["ci_id"],
            gi_slices=gi["slices"],
            ci_slices=ci["slices"],
            memory_mib=gi["memory_mib"],
            sm_count=ci["sm_count"],
        )
        for gpu in sim.show()["gpus"]
        for gi in gpu["gpu_instances"]
        for ci in gi["compute_instances"]
    ]
    return sorted(found, key=lambda mig: mig.place)
