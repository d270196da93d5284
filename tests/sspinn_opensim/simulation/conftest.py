"""A three-dimensional walker from the public recordings, and our planar one as files."""

from types import SimpleNamespace

import numpy as np
import pytest

import osim_models
from casadi_dynamics.osim import read_model
from casadi_dynamics.symbolic import build
from sspinn_opensim.opensim_io.tables.motion_files import kinematics_table
from sspinn_opensim.opensim_io.tables.storage import write_storage


@pytest.fixture(scope="session")
def planar(planar_model):
    """Return the functions of our planar model."""
    return build(planar_model)


@pytest.fixture(scope="session")
def planar_files(tmp_path_factory, planar_model, make_motion):
    """Return our planar model and a motion of 4 s, in degrees."""
    time_s = np.arange(401) / 100
    q = make_motion(planar_model, time_s)[0]
    names, motions = planar_model.coordinate_names, [c.motion for c in planar_model.coordinates]
    file = tmp_path_factory.mktemp("planar") / "walk.mot"
    write_storage(file, kinematics_table(names, motions, time_s, q))
    return SimpleNamespace(model=osim_models.path("planar_gait.osim"), motion=file, time_s=time_s, q=q)


@pytest.fixture(scope="session")
def walker3d(shared):
    """Return a walker whose knees have couplers and flex positively, with the files of a trial."""
    folder = shared / "data" / "schreiber2019_walking" / "2014001"
    if not folder.is_dir():
        pytest.skip("the public recordings lack schreiber2019_walking")
    model = folder / "2014001_scaledModelAdjusted.osim"
    return SimpleNamespace(
        functions=build(read_model(model)),
        model=model,
        motion=folder / "C4_05_ik_full.mot",
        moments=folder / "C4_05_id.sto",
        loads=folder / "2014001_C4_05_grf.xml",
        valid_s=(0.14, 0.66),
    )
