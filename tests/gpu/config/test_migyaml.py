"""A configuration file, good and bad: everything wrong at once, each with its line."""

import io
import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slurm_mig.errors import Refused
from slurm_mig.gpu.config.migconfig import DeviceFilter, Devices, Entry
from slurm_mig.gpu.config.migyaml import MAX_BYTES, parse, read
from slurm_mig.gpu.partitioning import WantedGi, WantedGpu

HEAD = "version: v1\nmig-configs:\n"
OFF = "mig-enabled: false"


def entries(yaml: str) -> tuple[Entry, ...]:
    """The entries of a label, given from its first "- " on in flow or block style."""
    return parse(f"{HEAD}  x:\n{yaml}\n".encode(), "mig.yaml").labels["x"]


def entry(flow: str) -> Entry:
    """The one entry with these fields, in flow style."""
    (found,) = entries(f"  - {{{flow}}}")
    return found


def problems(text: "str | bytes") -> list[str]:
    """What the reader says is wrong with a file, without the file's name."""
    data = text.encode() if isinstance(text, str) else text
    with pytest.raises(Refused) as refused:
        parse(data, "mig.yaml")
    assert str(refused.value).startswith("mig.yaml")
    return [problem.removeprefix("mig.yaml:") for problem in refused.value.problems]


def wrong(flow: str) -> str:
    """What is wrong with one entry; its line is always the fourth."""
    (problem,) = problems(f"{HEAD}  x:\n  - {{{flow}}}\n")
    line, _, text = problem.partition(": ")
    assert line == "4"
    return text


USUAL = f"""# The shape of the files that come with mig-parted.
{HEAD}
  all-disabled:
    - devices: all
      mig-enabled: false

  all-enabled:
    - devices: all
      mig-enabled: true
      mig-devices: {{}}

  # some boards
  all-balanced:
    - device-filter: ["0x20B010DE", "0x20F110DE:0x14F10DE"]
      devices: all
      mig-enabled: true
      mig-devices:
        "1g.5gb": 2
        "2g.10gb": 1
        3g.20gb: 1
    - device-filter: 0x20B710DE:0x153210DE
      devices: [0, 2]
      mig-enabled: true
      mig-devices:
        1g.6gb+me: 1

  custom:
    - devices: [0,1]
      mig-enabled: false
    - devices: [2]
      mig-enabled: true
      mig-devices: {{"1g.5gb": 7, "2g.10gb": 0}}
"""


def test_a_file_as_mig_parted_has_them() -> None:
    config = parse(USUAL.encode(), "mig.yaml")
    assert list(config.labels) == ["all-disabled", "all-enabled", "all-balanced", "custom"]
    assert config.labels["all-disabled"] == (
        Entry("mig.yaml:6", (), Devices("all"), WantedGpu(False)),
    )
    assert config.labels["all-enabled"][0].wanted == WantedGpu(True)
    first, second = config.labels["all-balanced"]
    assert first.filters == (DeviceFilter(0x20B010DE), DeviceFilter(0x20F110DE, 0x14F10DE))
    assert first.wanted.instances == (
        WantedGi("3g.20gb"),
        WantedGi("2g.10gb"),
        WantedGi("1g.5gb"),
        WantedGi("1g.5gb"),
    )
    assert second.filters == (DeviceFilter(0x20B710DE, 0x153210DE),)
    assert second.devices == Devices("indices", indices=(0, 2))
    assert second.wanted.instances == (WantedGi("1g.6gb+me"),)
    assert len(config.labels["custom"][1].wanted.instances) == 7


def test_json_is_yaml() -> None:
    text = '{"version": "v1", "mig-configs": {"a": [{"devices": "all", "mig-enabled": false}]}}'
    assert list(parse(text.encode(), "mig.json").labels) == ["a"]


def test_every_problem_is_told_with_its_line_in_order() -> None:
    assert problems(
        """version: v2
mig-config: {}
mig-configs:
  empty: []
  some:
    - devices: [0, -1, one]
      mig-enabld: true
      mig-devices: {9g: 1, 1g.5gb: many, 1g.10gb: 900}
    - just text
    - {devices: all, mig-enabled: true}
    - devices: all
      mig-enabled: false
      mig-devices:
        1g.5gb: 1
"""
    ) == [
        "1: only version v1 is known: text ('v2')",
        "2: unknown field 'mig-config': did you mean mig-configs?",
        "4: empty is empty: at least one entry is needed",
        "6: an entry has no mig-enabled",
        "6: devices is a number ('-1'), not a whole number from 0 on",
        "6: devices is text ('one'), not a whole number from 0 on",
        "7: unknown field 'mig-enabld': did you mean mig-enabled?",
        "8: '9g' is no MIG profile, such as 3g.40gb, 1c.3g.40gb or 1g.10gb+me",
        "8: 1g.5gb is text ('many'), not a whole number from 0 on",
        "8: no GPU has room for 900 of 1g.10gb",
        "9: an entry of some is text ('just text'), not a mapping",
        "10: mig-enabled is true, but there is neither mig-devices nor mig-instances: "
        "write mig-devices: {} for no slices",
        "13: instances, but mig-enabled is false",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "mig.yaml: is empty"),
        ("# nothing\n", "is empty"),
        ("- a\n", "1: the file is a list, not a mapping"),
        ("version: v1\n", "1: the file has no mig-configs"),
        ("mig-configs: {}\n", "1: the file has no version"),
        (f"{HEAD[:-1]} {{}}\n", "2: mig-configs is empty"),
        ("version: 1\nmig-configs: {a: [{devices: all, mig-enabled: off}]}", "1: version is a nu"),
        (f"{HEAD}  a: text\n", "3: a is text ('text'), not a list"),
        (f"{HEAD}  a:\n  a:\n", "4: 'a' comes twice: first in line 3"),
        (f"{HEAD}  yes:\n", "3: put the key 'yes' in quotes"),
        (f"{HEAD}  [1]:\n", "3: put the key"),
        (f'{HEAD}  "\\e[2J": [{{devices: all, {OFF}}}]\n', "3: '\\x1b[2J' cannot be the name of"),
        (f"{HEAD}  a: [\n", "not YAML:"),
        (f"{HEAD}\ta: 1\n", "3: not YAML: "),
        (f"{HEAD}  a: *b\n", "3: not YAML: found undefined alias 'b'"),
        (f"{HEAD}---\n{HEAD}", "3: not YAML: but found another document"),
        (f"{HEAD}  a: !!python/object/apply:os.system [id]\n", "has no place here"),
        (f"{HEAD}  a: !secret x\n", "'!secret' has no place here"),
        (f"{HEAD}  a: !!set {{x}}\n", "has no place here"),
        ('a: "\\U99999999"\n', "not YAML: an escape that is no character"),
        ("a: \x07\n", "not YAML: "),
        ("[" * 3000, "not YAML: "),
    ],
)
def test_what_is_no_configuration(text: str, problem: str) -> None:
    assert any(problem in told or problem in f"mig.yaml: {told}" for told in problems(text))


def test_bytes_that_are_no_text() -> None:
    assert problems(b"version: v1\nmig-configs: \xff\n") == ["2: not UTF-8"]
    assert parse(b"\xef\xbb\xbf" + USUAL.encode(), "bom").labels


def test_aliases_save_writing() -> None:
    first, second = entries(
        """  - &whole
    devices: [0]
    mig-enabled: true
    mig-devices: &seven {1g.5gb: 7}
  - <<: *whole
    devices: [1]
    mig-devices: *seven"""
    )
    assert first.wanted == second.wanted
    assert second.devices.indices == (1,)


def test_a_merge_below_its_rivals_is_refused() -> None:
    """There YAML's rule and mig-parted's reader differ in who wins."""
    text = f"{HEAD}  x:\n  - &a {{devices: [0], {OFF}}}\n  - devices: [1]\n    <<: *a\n"
    assert problems(text) == [
        "6: put << before the other keys, where all readers agree what it means"
    ]
    assert problems(f"{HEAD}  x:\n  - <<: 1\n    devices: all\n    {OFF}\n") == [
        "4: << wants a mapping"
    ]


def test_merges_of_several_the_first_wins() -> None:
    a, b = f"&a {{devices: [0], {OFF}}}", f"&b {{devices: [1], {OFF}}}"
    *_, third = entries(f"  - {a}\n  - {b}\n  - <<: [*a, *b]")
    assert third.devices.indices == (0,)


def test_a_bomb_does_not_go_off() -> None:
    """A billion values in ten lines."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    assert "its aliases grow without end" in problems("\n".join(lines))[0]


def test_a_list_that_holds_itself() -> None:
    assert "nested too deeply" in problems("version: &a [*a]")[0]


class TestTheFileItself:
    def test_is_read(self, tmp_path: Path) -> None:
        path = tmp_path / "mig.yaml"
        path.write_text(USUAL)
        assert read(path).source == str(path)
        link = tmp_path / "link"
        link.symlink_to(path)
        assert read(link).labels.keys() == read(path).labels.keys()

    def test_from_standard_input(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(USUAL.encode())))
        assert read(Path("-")).source == "standard input"

    def test_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(Refused, match="cannot be read: No such file or directory"):
            read(tmp_path / "none")

    def test_is_no_file(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        for name in ("pipe", "."):
            with pytest.raises(Refused, match="cannot be read: "):
                read(tmp_path / name)
        with pytest.raises(Refused, match="no regular file"):
            read(Path("/dev/zero"))

    def test_is_too_long(self, tmp_path: Path) -> None:
        path = tmp_path / "mig.yaml"
        path.write_text(USUAL + "#" * MAX_BYTES)
        with pytest.raises(Refused, match="is longer than 256 KiB"):
            read(path)


class TestFields:
    """Each field as mig-parted takes it, and ours."""

    @pytest.mark.parametrize("word", ["true", "True", "yes", "on", "ON", "y"])
    def test_flags_are_those_of_yaml_1_1(self, word: str) -> None:
        assert entry(f"devices: all, mig-enabled: {word}, mig-devices: {{}}").wanted.mig

    def test_flags_that_are_none(self) -> None:
        assert "is text ('true'), not true" in wrong('devices: all, mig-enabled: "true"')
        assert "is a number ('1'), not true" in wrong("devices: all, mig-enabled: 1")
        assert "is nothing, not true or false" in wrong("devices: all, mig-enabled: ")

    @pytest.mark.parametrize("filters", ["", '""', "[]", "null"])
    def test_no_filter(self, filters: str) -> None:
        assert entry(f"device-filter: {filters}, devices: all, {OFF}").filters == ()

    def test_filters_are_numbers_in_text(self) -> None:
        found = entry(f'device-filter: "548409566", devices: all, {OFF}').filters
        assert found == (DeviceFilter(548409566),)
        quoted = wrong(f"device-filter: 0x20B010DE, devices: all, {OFF}")
        assert quoted == "device-filter: put 0x20B010DE in quotes"

    @pytest.mark.parametrize(
        "text", ["A100", "0x1:0x2:0x3", "0x123456789", "4294967296", "-1", ":"]
    )
    def test_filters_that_are_none(self, text: str) -> None:
        """mig-parted takes them, and then they match nothing."""
        assert "is no PCI number" in wrong(f'device-filter: ["{text}"], devices: all, {OFF}')

    @pytest.mark.parametrize("devices", ["some", "0", "null", "{}", '["0"]', "[0.5]", "[1_0]"])
    def test_devices_that_are_none(self, devices: str) -> None:
        assert wrong(f"devices: {devices}, {OFF}").startswith("devices is ")

    def test_devices_of_ours(self) -> None:
        assert entry(f"devices: others, {OFF}").devices == Devices("others")
        uuid = "GPU-1FC4A36F-0679-58e6-9451-2989636e0b43"
        found = entry(f"gpus: [{uuid}, 0000:25:00.0, 65:00.0, 00010000:0A:00.1], {OFF}").devices
        assert found.names == (
            "GPU-1fc4a36f-0679-58e6-9451-2989636e0b43",
            "00000000:25:00.0",
            "00000000:65:00.0",
            "00010000:0a:00.1",
        )

    def test_gpus_that_are_none(self) -> None:
        assert "no GPU's UUID" in wrong(f"gpus: [MIG-1], {OFF}")
        assert "gpus is a number ('0'), not text" in wrong(f"gpus: [0], {OFF}")
        assert "gpus and devices do not go together" in wrong(f"gpus: [], devices: all, {OFF}")

    @pytest.mark.parametrize("devices", ["null", "{}"])
    def test_mig_devices_of_a_gpu_without_mig(self, devices: str) -> None:
        assert entry(f"devices: all, {OFF}, mig-devices: {devices}").wanted == WantedGpu(False)

    def test_mig_devices_missing(self) -> None:
        told = wrong("devices: all, mig-enabled: true, mig-devices: ")
        assert "neither mig-devices nor mig-instances" in told

    def test_counts(self) -> None:
        on = "devices: all, mig-enabled: true, mig-devices: "
        assert wrong(f"{on}{{1g.5gb: 0}}").startswith("all counts are 0")
        assert "'-1'" in wrong(f"{on}{{1g.5gb: -1}}")
        assert "a number ('7.0')" in wrong(f"{on}{{1g.5gb: 7.0}}")
        assert len(entry(f"{on}{{1g.5gb: 3, 2g.10gb: 0}}").wanted.instances) == 3

    def test_both_forms_at_once(self) -> None:
        told = wrong("devices: all, mig-enabled: true, mig-devices: {}, mig-instances: []")
        assert told == "mig-devices and mig-instances do not go together: leave one out"


WORDS = st.sampled_from(
    """version v1 mig-configs device-filter devices all others gpus mig-enabled mig-devices true
    mig-instances profile start compute 1g.5gb 1c.3g.20gb 7 0 -1 null '' &a *a << 0x20B010DE
    GPU-x 0000:65:00.0 ? | > - ! !!int % --- ... "\\u1" {} []""".split()  # noqa: SIM905
)
PIECES = st.one_of(
    WORDS, st.sampled_from(list(" \n:,[]{}-#\"'\t\x85\ufeff\\")), st.text(max_size=3)
)


@given(st.one_of(st.text(), st.lists(PIECES).map("".join), st.lists(PIECES).map(" ".join)))
def test_no_text_breaks_the_reader(text: str) -> None:
    try:
        parse(text.encode(errors="surrogatepass"), "mig.yaml")
    except Refused as refused:
        assert refused.problems


@given(st.binary())
def test_no_bytes_break_the_reader(data: bytes) -> None:
    try:
        parse(data, "mig.yaml")
    except Refused as refused:
        assert refused.problems


VALUES = st.recursive(
    st.sampled_from(
        ["all", "others", "true", "7", "[0, 1]", "{1g.5gb: 7}", "3g.20gb", "", "~", "0x1", '"0x1"']
    ),
    lambda inner: st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
    max_leaves=5,
)
KEYS = st.sampled_from(
    ["device-filter", "devices", "gpus", "mig-enabled", "mig-devices", "mig-instances", "profile"]
)


@given(st.dictionaries(KEYS, VALUES))
def test_no_entry_breaks_the_reader(fields: dict[str, str]) -> None:
    flow = ", ".join(f"{key}: {value}" for key, value in fields.items())
    try:
        entry(flow)
    except Refused as refused:
        assert refused.problems
