import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim.opensim_io.tables.external_loads import read_external_loads, write_external_loads


def test_round_trip_and_relative_data_file(tmp_path):
    (tmp_path / "grf.mot").touch()
    loads = read_external_loads(write_external_loads(tmp_path / "external_loads.xml", ["foot_r", "foot_l"]))
    assert [force.body for force in loads.forces] == ["foot_r", "foot_l"]
    assert loads.forces[1].force_prefix == "foot_l_ground_force_v"
    assert loads.datafile == tmp_path / "grf.mot"
    assert "<datafile>grf.mot</datafile>" in (tmp_path / "external_loads.xml").read_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read: it does not exist"),
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


@pytest.mark.parametrize("name", ["data/grf.mot", "data\\grf.mot", "../loads/data/grf.mot"])
def test_either_slash_leads_to_the_data(tmp_path, name):
    (folder := tmp_path / "loads").mkdir()
    (folder / "data").mkdir()
    (folder / "data" / "grf.mot").touch()
    loads = read_external_loads(write_external_loads(folder / "loads.xml", ["foot_r"], name))
    assert loads.datafile.samefile(folder / "data" / "grf.mot")


@pytest.mark.parametrize("name", ["../ExpData/grf.mot", "C:\\Users\\anna\\grf.mot", "/home/anna/grf.mot"])
@pytest.mark.parametrize("lies_beside", [True, False])
def test_a_path_that_leads_nowhere_is_named(tmp_path, name, lies_beside):
    if lies_beside:
        (tmp_path / "grf.mot").touch()
    path = write_external_loads(tmp_path / "loads.xml", ["foot_r", "foot_l"], name)
    with pytest.raises(InputError, match="data file of the external loads is not there") as error:
        read_external_loads(path)
    assert error.value.where == f"{path}, <datafile>" and error.value.found == name
    assert ("write <datafile>grf.mot</datafile>" in error.value.fix) == lies_beside
