"""Reference moments of a virtual trial, against OpenSim's InverseDynamicsTool."""

import numpy as np
from lxml import etree

import osim_models
from casadi_dynamics.opensim_process.jobs import run_job
from casadi_dynamics.osim import read_model
from casadi_dynamics.symbolic import build
from sspinn_opensim.opensim_io.tables.external_loads import write_external_loads
from sspinn_opensim.opensim_io.tables.motion_files import ground_forces_table, moment_columns
from sspinn_opensim.opensim_io.tables.storage import read_storage, write_storage
from sspinn_opensim.opensim_io.worker.tools import inverse_dynamics
from sspinn_opensim.simulation import laboratory
from sspinn_opensim.simulation.motion import read_motion, through

#: The tool prints eight decimals.
PRINTED = 1e-6


def test_forces_between_samples_are_those_of_opensims_tool(planar_files, tmp_path):
    """Forces at 61 Hz beside a motion at 100 Hz; straight lines between them were up to 1.4 N m off."""
    document = etree.parse(osim_models.path("planar_gait.osim"))
    objects = document.find("Model/ForceSet/objects")
    for force in list(objects):  # muscles, springs and contact, which the reference leaves out
        objects.remove(force)
    document.write(tmp_path / "bare.osim")
    time_s, random = np.arange(200) / 61, np.random.default_rng(4)
    wrench = random.uniform(-1, 1, (3, 200, 2, 3)) * np.reshape([400, 0.1, 10], (3, 1, 1, 1))
    write_storage(tmp_path / "grf.mot", ground_forces_table(("foot_r", "foot_l"), time_s, *wrench))
    loads = write_external_loads(tmp_path / "loads.xml", ("foot_r", "foot_l"))

    model = read_model(tmp_path / "bare.osim")
    motion = through(read_motion(planar_files.motion, model))
    own_s, own = laboratory.inverse_dynamics(loads, build(model), motion, np.eye(3), 100.0)
    arguments = {
        "model": tmp_path / "bare.osim",
        "kinematics": planar_files.motion,
        "external_loads": str(loads),
        "output": tmp_path / "id.sto",
        "from_s": float(own_s[0]),
        "to_s": float(own_s[-1]),
    }
    run_job(inverse_dynamics, arguments, timeout_s=120, outputs=[tmp_path / "id.sto"])
    expected = read_storage(tmp_path / "id.sto")
    np.testing.assert_allclose(own_s, expected.time_s, atol=1e-9)
    columns = moment_columns(model.coordinate_names, [c.motion for c in model.coordinates])
    for name, column in zip(model.coordinate_names, columns, strict=True):
        np.testing.assert_allclose(own[name], expected.column(column), atol=PRINTED)
