"""A GPU's layout as JSON, for files that outlive a boot: specs, never ids or MIG UUIDs. Pure."""

from typing import Any

from slurm_mig.gpu.checked import Checked
from slurm_mig.gpu.partitioning import CiSpec, GiSpec, Layout, WantedGi, WantedGpu
from slurm_mig.gpu.profile import parse
from slurm_mig.model import Placement


def layout_json(layout: Layout) -> dict[str, Any]:
    """{"mig", "instances": [{"profile", "placement", "compute_instances": [...]}]}."""
    return {"mig": layout.mig, "instances": [_gi_json(gi) for gi in layout.instances]}


def read_layout(found: Checked) -> Layout:
    """What `layout_json` wrote. What is wrong is noted in `found`'s problems."""
    layout = Layout(found.flag("mig"), tuple(_gi(gi) for gi in found.children("instances")))
    if layout.instances and not layout.mig:
        found.note("instances", "there are some although MIG is off")
    return layout


def wanted_json(wanted: WantedGpu) -> dict[str, Any]:
    """{"mig", "instances": [{"profile", "start", "compute_instances"}]}, as its null and [] are.

    And "exactly", where that was said.
    """
    return {"mig": wanted.mig, "instances": [_wish_json(gi) for gi in wanted.instances]}


def _wish_json(gi: WantedGi) -> dict[str, Any]:
    told = {"profile": gi.profile, "start": gi.start, "compute_instances": gi.cis}
    return told if gi.exactly is None else {**told, "exactly": [_ci_json(ci) for ci in gi.exactly]}


def read_wanted(found: Checked) -> WantedGpu:
    """What `wanted_json` wrote. What is wrong is noted in `found`'s problems."""
    return WantedGpu(found.flag("mig"), tuple(_wish(gi) for gi in found.children("instances")))


def _wish(found: Checked) -> WantedGi:
    start = None if found.is_null("start") else found.number("start")
    names = "compute_instances"
    cis = None if found.is_null(names) else found.texts(names)
    exactly = tuple(map(_ci, found.children("exactly"))) if "exactly" in found else None
    return WantedGi(_profile(found), start, cis, exactly)


def _gi_json(gi: GiSpec) -> dict[str, Any]:
    cis = [_ci_json(ci) for ci in gi.cis]
    placement = {"start": gi.placement.start, "size": gi.placement.size}
    return {"profile": gi.profile, "placement": placement, "compute_instances": cis}


def _ci_json(ci: CiSpec) -> dict[str, Any]:
    return {"profile": ci.ci_profile, "profile_id": ci.ci_profile_id, "start": ci.start}


def _gi(found: Checked) -> GiSpec:
    place = found.child("placement")
    placement = Placement(place.number("start"), place.number("size"))
    cis = tuple(_ci(ci) for ci in found.children("compute_instances"))
    return GiSpec(_profile(found), placement, cis)


def _ci(found: Checked) -> CiSpec:
    profile_id = None if found.is_null("profile_id") else found.number("profile_id")
    start = None if found.is_null("start") else found.number("start")
    return CiSpec(_profile(found), profile_id, start)


def _profile(found: Checked) -> str:
    text = found.text("profile")
    try:
        parse(text)
    except ValueError as why:
        if text:
            found.note("profile", str(why))
    return text
