"""The open record of a job that begins."""

import posix as os
import time

from slurm_mig.hooks.binding import Binding
from slurm_mig.hooks.environment import Job
from slurm_mig.hooks.slices import GresMap, Slice
from slurm_mig.usage import record


def open_record(job: Job, the_map: GresMap, bound: Binding) -> dict[str, object]:
    """What stands in jobs/JOBID.json: the record so far, and what the epilog will need."""
    about: record.Record = {key: getattr(job, key) for key in record.JOB_KEYS}
    slices = identities(the_map, bound.slices)
    return {
        "version": 1,
        "record": record.opened(
            os.urandom(12).hex(), about, slices, start=time.time(), complete=bound.complete
        ),
        "gres": [one.entry for one in bound.slices],
        "sluid": job.sluid,
        "boot_id": the_map.boot_id,
        "started_boottime_s": time.clock_gettime(time.CLOCK_BOOTTIME),
    }


def identities(the_map: GresMap, slices: tuple[Slice, ...]) -> list[record.Record]:
    """The slices as a record names them."""
    return [record.slice_identity(one.entry, the_map.boot_id, the_map.generation) for one in slices]
