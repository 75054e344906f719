"""What sacct prints, as it was seen of 22.05.8 and 24.11.5 (the same, but for the times)."""

import pytest

from slurm_mig.errors import SlurmError
from slurm_mig.slurm.controller import sacct_text
from slurm_mig.slurm.controller.accounting import HostFigures

SEEN = """\
1x%x1x%x2026-11-24T08:48:10x%x2026-11-24T08:48:20x%xn1x%xbilling=1,cpu=1,gres/gpu=1,mem=1G,node=1x%x1x%x00:00.001x%xx%xJS1:H4s+/==x%x
1.externx%x1.externx%x2026-11-24T08:48:10x%x2026-11-24T08:48:20x%xn1x%xcpu=1,node=1x%x1x%x00:00x%xmem=12Kx%xx%x
1.batchx%x1.batchx%x2026-11-24T08:48:10x%x2026-11-24T08:48:20x%xn1x%xcpu=1,mem=1G,node=1x%x1x%x00:00x%xcpu=00:00:00,mem=1092Kx%xx%x
1.0x%x1.0x%x2026-11-24T08:48:10x%x2026-11-24T08:48:20x%xn1x%xcpu=1,mem=0,node=1x%x1x%x00:00.001x%xcpu=00:00:00,energy=0,mem=2752K,vmem=143008Kx%xx%x
2x%x2x%x2026-11-24T08:48:10x%xUnknownx%xn[1-2]x%xbilling=2,cpu=2,node=2x%x2x%x1-02:03:04x%xx%xtwo
lines|and a x% of thisx%x
3x%x3x%xUnknownx%xUnknownx%xNone assignedx%xx%x0x%x00:00:00x%xx%xx%x
"""


def test_jobs_with_what_their_steps_tell() -> None:
    found = sacct_text.jobs(SEEN, "x%x")
    one, two, three = found.values()
    assert (one.job_id, one.nodes, one.gpus, one.comment) == (1, ("n1",), 1, "JS1:H4s+/==")
    assert one.start is not None
    assert one.end == one.start + 10 == 1795510100.0
    assert one.host == HostFigures(1, 1 << 30, 2752 << 10, 0.001)
    assert (two.nodes, two.gpus, two.end) == (("n1", "n2"), None, None)
    assert two.comment == "two\nlines|and a x% of this"
    assert two.host is None  # Slurm does not say what each node did
    assert (three.start, three.nodes, three.host) == (None, (), None)


@pytest.mark.parametrize(
    ("cpu_time", "seconds"),
    [("00:01.500", 1.5), ("01:02:03", 3723.0), ("2-00:00:01", 172801.0), ("", None), ("x", None)],
)
def test_cpu_time(cpu_time: str, seconds: float | None) -> None:
    row = ["7", "7", "", "", "n1", "mem=1.50T", "x", cpu_time, "mem=0", ""]
    host = sacct_text.jobs("|".join([*row, "\n"]), "|")[7].host
    assert host == HostFigures(None, 3 << 39, None, seconds)


def test_nothing() -> None:
    assert sacct_text.jobs("", "|") == {}


@pytest.mark.parametrize(
    "text",
    [
        "1|2|\n",
        "|".join(["x", *[""] * 9, "\n"]),
        "|".join(["1", "1", "", "", "n[1", *[""] * 5, "\n"]),
    ],
)
def test_what_it_never_printed(text: str) -> None:
    with pytest.raises(SlurmError, match="sacct"):
        sacct_text.jobs(text, "|")


def test_parts_of_a_heterogeneous_job_have_ids_of_their_own() -> None:
    rows = [
        ["8", "8+0", "", "", "n1", *[""] * 5],
        ["8+0.batch", *[""] * 9],
        ["9", "8+1", *[""] * 8],
    ]
    text = "\n".join("|".join([*row, ""]) for row in rows) + "\n"
    found = sacct_text.jobs(text, "|")
    assert [(job.job_id, job.shown) for job in found.values()] == [(8, "8+0"), (9, "8+1")]
