"""The arrows of the house: who may know whom (docs/architecture.md), read from the source."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "slurm_mig"

# From the ground up. A room knows only floors below its own, never its neighbour.
FLOORS = (
    {"errors"},
    {"model", "files", "system"},
    {"settings"},
    {"gpu", "slurm"},
    {"generate", "gresmap", "usage"},
    {"hooks", "doctor", "reconfigure"},
    {"cli"},
)
FLOOR_OF = {room: height for height, rooms in enumerate(FLOORS) for room in rooms}

# Some have stairs of their own: a folder knows those before its own.
STAIRS = {
    "gpu": ({"nvml", "driver"}, {"present", "config", "planning"}, {"change"}),
    "slurm": ({"records"}, {"config"}, {"controller"}),
    "reconfigure": ({"reboot"}, {"fleet"}),
    "usage": ({"monitor"}, {"metrics", "store"}, {"jobstats", "report"}),
}
STAIR_OF = {
    (side, folder): height
    for side, stairs in STAIRS.items()
    for height, folders in enumerate(stairs)
    for folder in folders
}

# A foreign thing has one home.
HOMES = {
    "pynvml": {"gpu.nvml"},
    "pyslurm": {"slurm.controller.rpc"},
    "jinja2": {"slurm.records.render", "usage.report.html"},
    "subprocess": {"slurm.scontrol", "gpu.change.sitecommand"},
    "yaml": {"gpu.config.migyaml"},
    "click": {"cli"},
    "rich": {"cli"},
    "ClusterShell": {"slurm.records.fold", "slurm.reach"},
    "prometheus_client": {"usage.metrics"},
    "sqlalchemy": {"usage.store"},
}

# Modules without I/O: the standard library less what touches the world, the nouns, the errors.
PURE = {
    "model",
    "errors",
    "gpu.profile",
    "gpu.planning.fitting",
    "gpu.planning.nearest",
    "gpu.planning.impossible",
    "gpu.planning.placement",
    "gpu.planning.compute",
    "gpu.planning.keeping",
    "gpu.planning.plan_steps",
    "gpu.planning.plan_result",
    "gpu.nvml.port",
    "gpu.nvml.partition_port",
    "gpu.checked",
    "gpu.nvml.ci_choice",
    "gpu.change.compare",
    "gpu.change.driver_drift",
    "gpu.change.layout_json",
    "gpu.planning.step_text",
    "gpu.partitioning",
    "gpu.config.migconfig",
    "gpu.config.migexport",
    "gpu.config.miggenerate",
    "gpu.config.miginstances",
    "gpu.config.migreader",
    "gpu.config.migspec",
    "gpu.config.migtree",
    "gpu.config.misfits",
    "gpu.planning.occupied",
    "gpu.planning.plandiff",
    "gpu.planning.planjson",
    "gpu.planning.plan",
    "slurm.records.autodetect",
    "slurm.configless",
    "slurm.controller.accounting",
    "slurm.controller.cli_words",
    "slurm.controller.client",
    "slurm.controller.complaints",
    "slurm.controller.gres_text",
    "slurm.demand",
    "slurm.config.dynamicconf",
    "slurm.records.gres",
    "slurm.config.gresvalue",
    "slurm.config.hostlist",
    "slurm.config.lines",
    "slurm.config.nodeline",
    "slurm.config.slurmd_options",
    "slurm.config.spans",
    "slurm.records.types",
    "slurm.ways",
    "hooks.binding",
    "hooks.slices",
    "hooks.environment",
    "hooks.jsonlight",
    "hooks.plaintoml",
    "gpu.nvml.usage_port",
    "system.ownlines",
    "system.printable",
    "usage.figures",
    "usage.monitor.adding",
    "usage.monitor.curve",
    "usage.monitor.energy",
    "usage.metrics.drift",
    "usage.metrics.series",
    "usage.metrics.sources",
    "usage.monitor.snapshot",
    "usage.jobstats.blob",
    "usage.jobstats.decide",
    "usage.jobstats.parts",
    "usage.record",
    "usage.report.adding",
    "usage.report.figures",
    "usage.report.idle",
    "usage.report.matching",
    "usage.report.over_time",
    "usage.report.page",
    "usage.report.source",
    "usage.report.svg",
    "usage.report.svg_curves",
    "usage.report.text",
    "usage.report.words",
    "usage.store.asking",
    "usage.store.curves",
    "usage.store.nouns",
    "usage.store.rules",
    "usage.store.shape",
    "usage.sums",
}
WORLD = {"os", "io", "pathlib", "shutil", "socket", "subprocess", "tempfile", "time", "ctypes"}

# What slurmd starts at every job must not wait for these.
HEAVY = {"click", "rich", "jinja2", "ClusterShell", "slurm_mig.slurm", "slurm_mig.cli"}


def modules() -> dict[str, Path]:
    """Dotted name below slurm_mig -> file; a package is its __init__."""
    names = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        names[".".join(part for part in parts if part != "__init__")] = path
    return names


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in it, by its full dotted name."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own_imports(path: Path) -> set[str]:
    """The modules of ours that a file imports, below slurm_mig."""
    known = modules()
    found = (name.removeprefix("slurm_mig.") for name in imports(path) if "slurm_mig." in name)
    return {name for name in found if name in known}


MODULES = modules()


@pytest.mark.parametrize("name", [name for name in MODULES if name not in ("", "__main__")])
def test_a_room_knows_only_the_floors_below(name: str) -> None:
    room = name.split(".")[0]
    assert room in FLOOR_OF, f"{room}: which floor is it on? (docs/architecture.md)"
    for other in own_imports(MODULES[name]):
        neighbour = other.split(".")[0]
        same_room = neighbour == room
        assert same_room or FLOOR_OF[neighbour] < FLOOR_OF[room], f"{name} knows {other}"


@pytest.mark.parametrize("name", [name for name in MODULES if name.count(".") > 1])
def test_a_folder_of_a_side_knows_only_those_before_it(name: str) -> None:
    side, folder = name.split(".")[:2]
    for other in own_imports(MODULES[name]):
        room, *inner = other.split(".")
        if room == side and len(inner) > 1 and inner[0] != folder:
            assert STAIR_OF[room, inner[0]] < STAIR_OF[side, folder], f"{name} knows {other}"


@pytest.mark.parametrize("name", MODULES)
def test_a_foreign_thing_has_one_home(name: str) -> None:
    for foreign in {module.split(".")[0] for module in imports(MODULES[name])}:
        homes = HOMES.get(foreign)
        if homes is not None:
            at_home = any(name == home or name.startswith(f"{home}.") for home in homes)
            assert at_home, f"{name} imports {foreign}, whose home is {homes}"


@pytest.mark.parametrize("name", sorted(PURE & set(MODULES)))
def test_a_pure_module_touches_nothing(name: str) -> None:
    for module in imports(MODULES[name]):
        assert module.split(".")[0] not in WORLD, f"{name} imports {module}"
    assert own_imports(MODULES[name]) <= PURE | {"slurm.version", "usage"}


def test_hooks_import_next_to_nothing() -> None:
    for name, path in MODULES.items():
        for module in imports(path) if name.startswith(("hooks", "system")) else ():
            heavy = [heavy for heavy in HEAVY if f"{module}.".startswith(f"{heavy}.")]
            assert not heavy, f"{name} imports {module}"


def test_no_import_cycles() -> None:
    graph = {name: own_imports(path) - {name} for name, path in MODULES.items()}
    while graph:
        leaves = {name for name, needs in graph.items() if not needs & set(graph)}
        assert leaves, f"import cycle among {sorted(graph)}"
        graph = {name: needs for name, needs in graph.items() if name not in leaves}


@pytest.mark.parametrize("name", MODULES)
def test_files_and_functions_stay_short(name: str) -> None:
    source = MODULES[name].read_text()
    assert len(source.splitlines()) <= 300
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and node.end_lineno is not None:
            assert node.end_lineno - node.lineno < 60, f"{name}.{node.name}"
