import pytest

from slurm_mig.slurm.configless import controllers, hands_out


@pytest.mark.parametrize(
    ("parameters", "yes"),
    [
        ("enable_configless", True),
        ("cloud_dns,Enable_Configless", True),
        ("(null)", False),
        ("disable_enable_configless", False),
    ],
)
def test_whether_files_are_handed_out(parameters: str, yes: bool) -> None:
    assert hands_out({"slurmctldparameters": parameters}) is yes
    assert not hands_out({})


def test_where_slurmctld_runs() -> None:
    config = {"slurmctldhost[1]": "b", "slurmctldhost[0]": "a(10.0.0.1)", "slurmctldport": "1"}
    assert controllers(config) == "a or b"
    assert controllers({"slurmctldhost": "ctl"}) == "ctl"
    assert controllers({}) == "the machine where slurmctld runs"
