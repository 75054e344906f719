import json
import os
from pathlib import Path
from typing import Any

import pytest

from slurm_mig.errors import SlurmMigError
from slurm_mig.gresmap import store

MADE: dict[str, Any] = {"version": 1, "made_at": 100, "gres": [{"gres_index": 0}, {"a": 'b"'}]}


def path(root: Path) -> Path:
    return root / "run/slurm-mig/gres-map.json"


def test_the_map_is_for_all_to_read_and_one_line_a_gres(tmp_path: Path) -> None:
    assert store.write(tmp_path, MADE)
    assert path(tmp_path).stat().st_mode & 0o7777 == 0o644
    text = path(tmp_path).read_text()
    assert json.loads(text) == MADE == store.read(tmp_path)
    assert len(text.splitlines()) == 4


def test_an_empty_map(tmp_path: Path) -> None:
    store.write(tmp_path, {**MADE, "gres": []})
    assert store.read(tmp_path) == {**MADE, "gres": []}


def test_a_map_that_says_the_same_is_kept_as_it_is(tmp_path: Path) -> None:
    store.write(tmp_path, MADE)
    before = path(tmp_path).stat()
    assert not store.write(tmp_path, {**MADE, "made_at": 200})
    assert path(tmp_path).stat().st_ino == before.st_ino
    assert store.write(tmp_path, {**MADE, "made_at": 200, "version": 2})
    assert store.read(tmp_path)["made_at"] == 200


def test_when_it_was_last_right_is_its_time(tmp_path: Path) -> None:
    store.write(tmp_path, MADE)
    os.utime(path(tmp_path), (1, 1))
    store.write(tmp_path, MADE)
    assert path(tmp_path).stat().st_mtime > 1


NODES = "NodeName=n1 Name=gpu Type=a\nNodeName=n2 Name=gpu Type=b\n"


@pytest.mark.parametrize(
    ("now", "holds"),
    [
        (NODES, True),
        (NODES.replace("Type=b", "Type=c"), True),
        (f"# more\n{NODES}NodeName=n[3-9] Name=gpu\n", True),
        (NODES.replace("Type=a", "Type=c"), False),
        (f"{NODES}AutoDetect=nvml\n", False),
    ],
)
def test_a_gres_conf_holds_while_the_node_s_lines_are_as_they_were(
    tmp_path: Path, now: str, holds: bool
) -> None:
    conf = tmp_path / "gres.conf"
    conf.write_text(NODES)
    assert not store.holds(tmp_path, conf, "n1", 1.0)  # there is no map
    store.write(tmp_path, {**MADE, "gres_conf": store.state_of(conf, "n1")})
    conf.write_text(now)
    assert store.holds(tmp_path, conf, "n1", 1.0) is holds


def test_it_must_have_held_since_slurmd_started(tmp_path: Path) -> None:
    conf = tmp_path / "gres.conf"
    conf.write_text(NODES)
    store.write(tmp_path, {**MADE, "gres_conf": store.state_of(conf, "n1")})
    os.utime(path(tmp_path), (1000, 1000))
    assert store.holds(tmp_path, conf, "n1", 999.0)
    assert not store.holds(tmp_path, conf, "n1", 1001.0)
    assert not store.holds(tmp_path, conf, "n1", None)
    assert not store.holds(tmp_path, tmp_path / "other.conf", "n1", 999.0)


@pytest.mark.parametrize("told", [None, 7, {}, {"path": "x"}])
def test_a_map_that_tells_nothing_of_a_gres_conf_holds_nothing(tmp_path: Path, told: Any) -> None:
    conf = tmp_path / "gres.conf"
    conf.write_text(NODES)
    store.write(tmp_path, {**MADE, "gres_conf": told})
    assert not store.holds(tmp_path, conf, "n1", 1.0)


@pytest.mark.parametrize("old", ["", "{", "[]", "null", "\udcff"])
def test_a_damaged_map_is_replaced(tmp_path: Path, old: str) -> None:
    path(tmp_path).parent.mkdir(parents=True)
    path(tmp_path).write_bytes(old.encode(errors="surrogateescape"))
    assert store.write(tmp_path, MADE)
    assert store.read(tmp_path) == MADE


def test_a_map_that_not_all_can_read_is_made_readable(tmp_path: Path) -> None:
    store.write(tmp_path, MADE)
    path(tmp_path).chmod(0o600)
    assert store.write(tmp_path, MADE)
    assert path(tmp_path).stat().st_mode & 0o7777 == 0o644


def test_a_map_that_somebody_else_could_have_written_is_made_anew(tmp_path: Path) -> None:
    """The hooks would not believe it."""
    store.write(tmp_path, MADE)
    os.chown(path(tmp_path), 65534, 65534)
    assert store.write(tmp_path, MADE)
    assert path(tmp_path).stat().st_uid == 0


def test_a_link_in_its_place_is_replaced_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text(store.text_of(MADE))
    path(tmp_path).parent.mkdir(parents=True)
    path(tmp_path).symlink_to(target)
    assert store.write(tmp_path, {**MADE, "made_at": 300})
    assert not path(tmp_path).is_symlink()
    assert json.loads(target.read_text()) == MADE


def test_removing(tmp_path: Path) -> None:
    assert not store.remove(tmp_path)
    store.write(tmp_path, MADE)
    assert store.remove(tmp_path)
    assert store.read(tmp_path) == {}


def test_what_cannot_be_written_or_removed_is_told(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file")
    with pytest.raises(SlurmMigError, match=r"gres-map\.json: "):
        store.write(tmp_path, MADE)
    path(other := tmp_path / "other").mkdir(parents=True)
    with pytest.raises(SlurmMigError, match="hooks would trust it"):
        store.remove(other)


def test_a_damaged_map_cannot_be_read(tmp_path: Path) -> None:
    path(tmp_path).parent.mkdir(parents=True)
    path(tmp_path).write_text("{")
    with pytest.raises(SlurmMigError, match="damaged"):
        store.read(tmp_path)


def test_nothing_else_is_left_in_the_folder(tmp_path: Path) -> None:
    for number in range(3):
        store.write(tmp_path, {**MADE, "generation": number})
    assert list(path(tmp_path).parent.iterdir()) == [path(tmp_path)]
