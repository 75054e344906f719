from pathlib import Path

import pytest

from slurm_mig.errors import Refused, SlurmMigError
from slurm_mig.generate.build import Generated, Request, for_inventory, for_node
from slurm_mig.generate.output import check, to_json, write
from slurm_mig.slurm.config.parse import ConfError
from tests.slurm.nodes import gpu, node, options


def made(*profiles: str, node_name: str | None = None) -> Generated:
    return for_node(node(gpu(*profiles)), Request(options(profile=True), node_name))


def inventory(**profiles: str) -> Generated:
    nodes = [node(gpu(profile), name=name) for name, profile in profiles.items()]
    return for_inventory(nodes, Request(options(profile=True)))


def test_a_new_file_and_then_no_change(tmp_path: Path) -> None:
    path = tmp_path / "gres.conf"
    assert write(path, made("1g.5gb"))
    assert path.read_text() == made("1g.5gb").text
    before = path.stat()
    assert not write(path, made("1g.5gb"))
    assert path.stat().st_ino == before.st_ino


def test_other_people_s_lines_stay_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "gres.conf"
    others = b"# \xc3\xa4\r\nName=license Count=3\nNodeName=n9 Name=gpu File=/dev/nvidia0\n"
    path.write_bytes(others + made("1g.5gb").text.encode() + b"# tail, no end of line")
    write(path, made("3g.20gb"))
    assert path.read_bytes() == (others + made("3g.20gb").text.encode() + b"# tail, no end of line")


@pytest.mark.parametrize(
    "line",
    [
        "Name=gpu Type=mine File=/dev/nvidia7",
        "NodeName=n1 Name=gpu Type=mine File=/dev/nvidia7",
        "NodeName=n1 AutoDetect=nvml",
    ],
)
def test_lines_elsewhere_that_speak_of_the_same_gpus_are_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "gres.conf"
    path.write_text(f"{line}\n")
    with pytest.raises(Refused, match="outside the marked block") as raised:
        write(path, made("1g.5gb"))
    assert len(raised.value.problems) == 1
    assert path.read_text() == f"{line}\n"


def test_a_link_is_neither_followed_nor_replaced(tmp_path: Path) -> None:
    shared, link = tmp_path / "shared.conf", tmp_path / "gres.conf"
    shared.write_text("# of all nodes\n")
    link.symlink_to(shared)
    with pytest.raises(SlurmMigError, match=r"gres\.conf is a link: name .*/shared\.conf itself"):
        write(link, made("1g.5gb"))
    assert link.is_symlink()
    assert shared.read_text() == "# of all nodes\n"


def test_a_damaged_block_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "gres.conf"
    path.write_text("# BEGIN slurm-mig\n")
    for wrong in (write, check):
        with pytest.raises(Refused, match=r"gres\.conf: the marked block is damaged"):
            wrong(path, made("1g.5gb"))
    assert path.read_text() == "# BEGIN slurm-mig\n"


def test_a_line_that_slurm_cannot_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "gres.conf"
    path.write_text("\nName gpu\n")
    for wrong in (write, check):
        with pytest.raises(ConfError, match=r"gres\.conf: line 2: Slurm cannot read 'Name gpu'"):
            wrong(path, made("1g.5gb"))


def test_nodes_have_blocks_of_their_own_in_one_file(tmp_path: Path) -> None:
    path = tmp_path / "gres.conf"
    for name in ("n1", "n2", "n1"):
        write(path, made("1g.5gb", node_name=name))
    assert path.read_text().count("# BEGIN") == 2
    assert check(path, made("1g.5gb", node_name="n2")) == []


def test_where_nothing_can_be_written_the_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SlurmMigError, match=r"none/gres\.conf: No such file"):
        write(tmp_path / "none" / "gres.conf", made("1g.5gb"))


def test_drift_and_none(tmp_path: Path) -> None:
    path = tmp_path / "gres.conf"
    assert check(path, made("1g.5gb"))[:2] == [f"--- {path}", "+++ wanted for n1"]
    write(path, made("1g.5gb"))
    assert check(path, made("1g.5gb")) == []
    path.write_text(path.read_text().replace("Name=gpu", "# hm\nname = gpu"))
    assert check(path, made("1g.5gb")) == []
    assert check(path, made("3g.20gb")) != []


def test_a_node_that_left_the_inventory_has_drifted(tmp_path: Path) -> None:
    path = tmp_path / "gres.conf"
    write(path, inventory(n1="1g.5gb", n2="1g.5gb"))
    path.write_text(f"NodeName=n9 Name=gpu File=/dev/nvidia0\n{path.read_text()}")
    assert check(path, inventory(n1="1g.5gb", n2="1g.5gb")) == []
    assert check(path, inventory(n1="1g.5gb"))[1] == "+++ wanted for n2"


def test_what_cannot_be_read_is_an_error_and_no_drift(tmp_path: Path) -> None:
    with pytest.raises(SlurmMigError, match="Is a directory"):
        check(tmp_path, made("1g.5gb"))
    (tmp_path / "gres.conf").write_bytes(b"ab\xff")
    with pytest.raises(SlurmMigError, match="not UTF-8 text"):
        check(tmp_path / "gres.conf", made("1g.5gb"))


def test_json() -> None:
    request = Request(options(profile=True))
    assert to_json(made("1g.5gb"), request) == {
        "version": 1,
        "slurm_version": "24.11.5",
        "autodetect": "off",
        "warnings": [],
        "node": "n1",
        "gres": "gpu:1g.5gb:1",
        "records": [
            {
                "gres_index": 0,
                "type": "1g.5gb",
                "files": [
                    "/dev/nvidia0",
                    "/dev/nvidia-caps/nvidia-cap66",
                    "/dev/nvidia-caps/nvidia-cap67",
                ],
                "profile": "1g.5gb",
                "cores": None,
                "uuid": "MIG-0-7-0",
            }
        ],
    }


def test_json_of_an_inventory_has_a_group_for_equal_nodes() -> None:
    answer = to_json(inventory(n1="1g.5gb", n2="1g.5gb"), Request(options(profile=True)))
    (both,) = answer["groups"]
    assert (both["nodes"], both["gres"]) == ("n[1-2]", "gpu:1g.5gb:1")
    assert both["records"][0]["uuid"] is None
