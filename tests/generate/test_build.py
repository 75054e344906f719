from collections.abc import Iterator
from pathlib import Path

import pytest

from slurm_mig.errors import Refused
from slurm_mig.generate.build import Generated, Request, for_inventory, for_node
from slurm_mig.model import Node
from tests.slurm.nodes import gpu, mig_device, node, options, whole_gpu


def lines(made: Generated) -> list[str]:
    return [line for line in made.text.splitlines() if not line.startswith("#")]


def request(root: Path, *, nvml: bool = False, node_name: str | None = None) -> Request:
    return Request(options(nvml=nvml, profile=True), node_name, root=root)


SMALL = "MultipleFiles=/dev/nvidia0,/dev/nvidia-caps/nvidia-cap66,/dev/nvidia-caps/nvidia-cap67"


def test_a_node_s_own_file(tmp_path: Path) -> None:
    made = for_node(node(gpu("1g.5gb"), whole_gpu(1)), request(tmp_path))
    assert lines(made) == [
        "AutoDetect=off",
        "Name=gpu Type=a100 File=/dev/nvidia1 Flags=nvidia_gpu_env",
        f"Name=gpu Type=1g.5gb {SMALL} Flags=nvidia_gpu_env",
    ]
    assert (made.label, made.nodes) == ("", ["n1"])


def test_a_node_named_in_a_file_of_many(tmp_path: Path) -> None:
    made = for_node(node(gpu("1g.5gb")), request(tmp_path, nvml=True, node_name="gpu-7"))
    assert lines(made) == [
        "NodeName=gpu-7 AutoDetect=nvml",
        f"NodeName=gpu-7 Name=gpu Type=1g.5gb {SMALL} Flags=nvidia_gpu_env",
    ]
    assert made.text.startswith("# BEGIN slurm-mig gpu-7\n")


def test_what_is_wrong_is_told_all_at_once(tmp_path: Path) -> None:
    wrong = node(gpu(), gpu(gpu_index=1))
    with pytest.raises(Refused) as raised:
        for_node(wrong, request(tmp_path, node_name="a b"))
    assert raised.value.what == "no gres.conf for n1"
    assert len(raised.value.problems) == 3


def test_a_node_without_gpus(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="this node has no GPU"):
        for_node(node(), request(tmp_path))
    made = for_inventory([node(name="cpu"), node(whole_gpu(), name="n1")], request(tmp_path))
    assert made.nodes == ["n1"]
    assert made.warnings == ("cpu: left out: it has no GPU",)


def test_a_host_name_that_is_not_written_may_be_anything(tmp_path: Path) -> None:
    for_node(node(gpu("1g.5gb"), name="a b"), request(tmp_path))


def test_equal_nodes_of_an_inventory_share_lines(tmp_path: Path) -> None:
    nodes = [node(gpu("1g.5gb"), name=f"n{at}") for at in (3, 1, 2)]
    nodes.append(node(whole_gpu(), name="n4"))
    made = for_inventory(nodes, request(tmp_path))
    assert lines(made) == [
        "NodeName=n[1-3] AutoDetect=off",
        f"NodeName=n[1-3] Name=gpu Type=1g.5gb {SMALL} Flags=nvidia_gpu_env",
        "NodeName=n4 AutoDetect=off",
        "NodeName=n4 Name=gpu Type=a100 File=/dev/nvidia0 Flags=nvidia_gpu_env",
    ]
    assert made.nodes == ["n1", "n2", "n3", "n4"]


def test_an_inventory_is_refused_with_the_problems_of_every_node(tmp_path: Path) -> None:
    def nodes() -> Iterator[Node]:
        yield node(gpu("1g.5gb"), name="n1")
        yield node(gpu(), name="n2")
        yield node(gpu("1g.5gb"), name="n1")
        yield node(gpu("1g.5gb"), name="n[4]")
        raise Refused("the inventory cannot be used", ["n5.json: not JSON"])

    with pytest.raises(Refused) as raised:
        for_inventory(nodes(), request(tmp_path))
    starts = [problem.split(":")[0] for problem in raised.value.problems]
    assert starts == ["n2", "n[4]", "n5.json", "n1"]
    assert "more than once" in raised.value.problems[-1]


def test_types_of_two_nodes_that_are_one_to_slurm(tmp_path: Path) -> None:
    """A job that asks for one would be given the other."""
    nodes = [
        node(gpu("4g.20gb"), name="n1"),
        node(gpu("1g.23gb", name="NVIDIA B200"), name="n2"),
    ]
    full = request(tmp_path)._replace(options=options())
    assert for_inventory(nodes, full).groups
    with pytest.raises(Refused, match=r"4g\.20gb and 1g\.23gb are one to Slurm"):
        for_inventory(nodes, request(tmp_path))


def test_warnings_of_an_inventory_name_the_node(tmp_path: Path) -> None:
    made = for_inventory([node(gpu("1g.5gb", warnings=["hm"]), name="n2")], request(tmp_path))
    assert made.warnings == ("n2: GPU 0: hm",)


def site_template(root: Path, text: str) -> Path:
    path = root / "etc/slurm-mig/templates/gres.conf.j2"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return path


LOOP = "{% for line in lines %}\n{{ line }}\n{% endfor %}"


def test_a_site_s_template_is_used(tmp_path: Path) -> None:
    site_template(tmp_path, f"# of this site\nName=license Count=3\n{LOOP}")
    made = for_node(node(gpu("1g.5gb")), request(tmp_path))
    assert made.text.splitlines()[1:3] == ["# of this site", "Name=license Count=3"]


@pytest.mark.parametrize(
    "text",
    [
        "# no lines\n",
        LOOP.replace("{{ line }}", "{{ line | upper }}"),
        f"{LOOP}Name=gpu Type=more File=/dev/null Flags=nvidia_gpu_env\n",
        "{% for line in lines[:-1] %}\n{{ line }}\n{% endfor %}",
    ],
)
def test_a_site_s_template_must_not_change_the_devices(tmp_path: Path, text: str) -> None:
    path = site_template(tmp_path, text)
    with pytest.raises(Refused, match="other devices"):
        for_node(node(gpu("1g.5gb", "3g.20gb")), request(tmp_path))
    assert path.exists()


def test_the_text_is_the_same_every_time(tmp_path: Path) -> None:
    devices = [mig_device("1g.5gb", 7), mig_device("1g.5gb", 8, mig_index=1)]
    first, again = (
        for_node(node(gpu(devices=order)), request(tmp_path)) for order in (devices, devices[::-1])
    )
    assert first.text == again.text
