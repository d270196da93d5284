import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim.opensim_io.external_loads import read_external_loads, write_external_loads


def test_round_trip_and_relative_data_file(tmp_path):
    loads = read_external_loads(write_external_loads(tmp_path / "external_loads.xml", ["foot_r", "foot_l"]))
    assert [force.body for force in loads.forces] == ["foot_r", "foot_l"]
    assert loads.forces[1].force_prefix == "foot_l_ground_force_v"
    assert loads.datafile == tmp_path / "grf.mot"
    assert "<datafile>grf.mot</datafile>" in (tmp_path / "external_loads.xml").read_text()


@pytest.mark.parametrize(
    "text, message",
    [
        (None, "cannot read"),
        ("<OpenSimDocument><ExternalLoads>", "cannot read"),
        ("<OpenSimDocument><Model/></OpenSimDocument>", "another kind of file"),
        ("<OpenSimDocument><ExternalLoads><objects/></ExternalLoads></OpenSimDocument>", "incomplete"),
    ],
)
def test_refuses_what_is_no_external_loads_file(tmp_path, text, message):
    path = tmp_path / "loads.xml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_external_loads(path)
