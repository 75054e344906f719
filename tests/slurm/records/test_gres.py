from hypothesis import given, settings
from hypothesis import strategies as st

from slurm_mig.model import Cores, GresIndex
from slurm_mig.slurm.config.parse import parse
from slurm_mig.slurm.records.gres import GresRecord, NodeGres, line, node_gres
from tests.slurm.nodes import H100, gpu, mig_device, node, options, whole_gpu


def types_in_order(made: NodeGres) -> list[str]:
    assert [record.gres_index for record in made.records] == list(range(len(made.records)))
    return [record.type for record in made.records]


def test_whole_gpus_first_then_large_slices_before_small_ones() -> None:
    made = node_gres(
        node(gpu("1g.5gb", "3g.20gb", "1g.5gb+me"), whole_gpu(1)), options(profile=True)
    )
    assert types_in_order(made) == ["a100", "3g.20gb", "1g.5gb", "1g.5gb+me"]
    assert made.gres == "gpu:a100:1,gpu:3g.20gb:1,gpu:1g.5gb:1,gpu:1g.5gb+me:1"


def test_a_slices_files_are_its_gpu_its_gi_and_its_ci_in_this_order() -> None:
    made = node_gres(node(gpu(devices=[mig_device("3g.20gb", 2, gpu_minor=1)])), options())
    assert made.records == (
        GresRecord(
            gres_index=GresIndex(0),
            type="nvidia_a100_3g.20gb",
            files=(
                "/dev/nvidia1",
                "/dev/nvidia-caps/nvidia-cap156",
                "/dev/nvidia-caps/nvidia-cap157",
            ),
            uuid="MIG-1-2-0",
            profile="3g.20gb",
            cores=None,
        ),
    )


def test_one_type_on_two_gpus_is_one_run_of_indices() -> None:
    made = node_gres(
        node(gpu("1g.5gb", "2g.10gb"), gpu("1g.5gb", "2g.10gb", gpu_index=1)),
        options(profile=True),
    )
    assert types_in_order(made) == ["2g.10gb", "2g.10gb", "1g.5gb", "1g.5gb"]
    assert [record.files[0] for record in made.records] == [
        *("/dev/nvidia0", "/dev/nvidia1"),
        *("/dev/nvidia0", "/dev/nvidia1"),
    ]


def test_the_order_is_that_of_numbers_not_of_nvml() -> None:
    devices = [mig_device("1g.5gb", gi_id, mig_index=at) for at, gi_id in enumerate((13, 7, 9))]
    made = node_gres(node(gpu(devices=devices)), options())
    assert [record.uuid for record in made.records] == ["MIG-0-7-0", "MIG-0-9-0", "MIG-0-13-0"]


def test_slices_that_22_05_cannot_tell_apart_share_a_type() -> None:
    made = node_gres(node(gpu("1g.5gb", "3g.20gb", "1g.5gb+me", "1c.3g.20gb")), options("22.05.8"))
    assert made.types == (("nvidia_a100_3g.20gb", 2), ("nvidia_a100_1g.5gb", 2))
    assert types_in_order(made) == ["nvidia_a100_3g.20gb"] * 2 + ["nvidia_a100_1g.5gb"] * 2


def test_with_autodetect_the_order_is_slurms_and_types_may_mix() -> None:
    made = node_gres(node(gpu("1g.5gb", "3g.20gb", "1g.5gb+me")), options(nvml=True, profile=True))
    assert types_in_order(made) == ["1g.5gb", "3g.20gb", "1g.5gb+me"]
    # In Gres= they stay as without it.
    assert made.gres == "gpu:3g.20gb:1,gpu:1g.5gb:1,gpu:1g.5gb+me:1"


def test_22_05_deals_slices_out_like_cards() -> None:
    made = node_gres(
        node(gpu("1g.5gb", "1g.5gb"), gpu("1g.5gb", "1g.5gb", gpu_index=1)),
        options("22.05.8", nvml=True),
    )
    assert [record.files[0] for record in made.records] == [
        *("/dev/nvidia0", "/dev/nvidia1"),
        *("/dev/nvidia0", "/dev/nvidia1"),
    ]


def test_short_types_with_autodetect_are_what_this_slurm_detects() -> None:
    slices = node(gpu("3g.40gb", name=H100))
    assert node_gres(slices, options("22.05.8", nvml=True, profile=True)).gres == "gpu:3g.39gb:1"
    assert node_gres(slices, options("22.05.8", profile=True)).gres == "gpu:3g.40gb:1"


def test_mig_that_is_only_pending_is_a_whole_gpu() -> None:
    made = node_gres(node(whole_gpu(), gpu(gpu_index=1, mig_mode=None)), options(profile=True))
    assert made.gres == "gpu:a100:2"


WHOLE = Cores(((0, 15), (32, 32)), fill_sockets=True)
PART = Cores(((0, 7),), fill_sockets=False)


def test_cores_only_where_this_slurm_takes_them() -> None:
    def cores(which: Cores | None, version: str, nvml: bool = False) -> str | None:
        made = node_gres(node(gpu("1g.5gb", cores=which)), options(version, nvml=nvml))
        return made.records[0].cores

    assert cores(WHOLE, "24.11.5") == cores(WHOLE, "22.05.8") == "0-15,32"
    assert cores(PART, "24.11.1") == "0-7"
    assert cores(PART, "24.11.2") is None
    assert cores(None, "22.05.8") is None
    assert cores(WHOLE, "22.05.8", nvml=True) is None


def record(**values: object) -> GresRecord:
    defaults = {"gres_index": 0, "type": "t", "files": ("/dev/a",), "uuid": "u", "profile": None}
    return GresRecord(**{**defaults, "cores": None, **values})  # type: ignore[arg-type]


def test_lines() -> None:
    assert line(record()) == "Name=gpu Type=t File=/dev/a Flags=nvidia_gpu_env"
    assert line(record(files=("/dev/a", "/dev/b"), cores="0-3"), "n[1-2]") == (
        "NodeName=n[1-2] Name=gpu Type=t MultipleFiles=/dev/a,/dev/b Cores=0-3 Flags=nvidia_gpu_env"
    )


WORDS = st.from_regex(r"[a-z0-9][a-z0-9._+-]{0,20}", fullmatch=True)


@settings(derandomize=True, deadline=None)
@given(WORDS, st.lists(WORDS.map("/dev/{}".format), min_size=1, max_size=3), st.none() | WORDS)
def test_a_line_is_read_back_as_it_was_meant(
    kind: str, files: list[str], node_names: str | None
) -> None:
    (read,) = parse(line(record(type=kind, files=tuple(files)), node_names))
    assert read.node_names == node_names
    assert read.values["type"] == kind
    assert read.values["file" if len(files) == 1 else "multiplefiles"].split(",") == files
