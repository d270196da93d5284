"""A small motion whose ground forces fit it exactly: crouching and rising on our planar model."""

import functools
import shutil
from pathlib import Path

import numpy as np
import pytest

import osim_models
from casadi_dynamics.opensim_process.jobs import run_job
from casadi_dynamics.opensim_process.worker.models import describe_model
from sspinn_opensim.opensim_io.model.model_file import (
    read_model_tree,
    switch_ground_forces_off,
    write_model_tree,
)
from sspinn_opensim.opensim_io.scaling.choices import PersonSize
from sspinn_opensim.opensim_io.static_optimization.run import Settings, prepare
from sspinn_opensim.opensim_io.tables.external_loads import write_external_loads
from sspinn_opensim.opensim_io.tables.motion_files import ground_forces_table, kinematics_table, moments_table
from sspinn_opensim.opensim_io.tables.storage import read_storage, write_storage
from sspinn_opensim.opensim_io.worker.tools import inverse_dynamics

MODEL = osim_models.path("planar_gait.osim")
FEET = ("foot_r", "foot_l")
FROM_S, TO_S, STEP_S = 0.3, 0.6, 0.01


@pytest.fixture(scope="session")
def planar():
    """Return our planar model as it is read by the converter."""
    from casadi_dynamics.osim import read_model

    return read_model(MODEL)


@pytest.fixture(scope="session")
def model_file() -> Path:
    return MODEL


@pytest.fixture(scope="session")
def person():
    return functools.partial(PersonSize, height_m=1.73, mass_kg=73.0, name="P01")


@pytest.fixture(scope="session")
def _crouch(tmp_path_factory) -> Path:
    """Compute the motion once: inverse dynamics gives the ground force that leaves no residual."""
    folder = tmp_path_factory.mktemp("crouch")
    shutil.copy(MODEL, folder / "subject.osim")
    motions = run_job(describe_model, {"model": MODEL}, timeout_s=60).values["motions"]
    names = list(motions)
    time_s = np.arange(0, 0.9, STEP_S)
    bend = 0.3 + 0.1 * np.sin(2 * np.pi * time_s)
    posture = {"pelvis_ty": 1.0 - 0.3 * bend, "pelvis_tilt": -0.1 * bend}
    for side in "rl":
        posture |= {
            f"hip_flexion_{side}": 1.1 * bend,
            f"knee_angle_{side}": -2 * bend,
            f"ankle_angle_{side}": bend,
        }
    q = np.column_stack([posture.get(name, 0 * time_s) for name in names])
    kinematics = write_storage(
        folder / "kinematics.mot", kinematics_table(names, list(motions.values()), time_s, q)
    )

    def generalized_forces(**loads):
        output = folder / "inverse_dynamics.sto"
        arguments = {
            "model": folder / "contact_off.osim",
            "kinematics": kinematics,
            "output": output,
            **loads,
        }
        run_job(inverse_dynamics, arguments | {"from_s": 0.0, "to_s": 0.89}, timeout_s=60, outputs=[output])
        return read_storage(output)

    tree = read_model_tree(MODEL)
    switch_ground_forces_off(tree)
    write_model_tree(folder / "contact_off.osim", tree)
    free = generalized_forces()
    along, upward = free.column("pelvis_tx_force"), free.column("pelvis_ty_force")
    lever = (free.column("pelvis_tilt_moment") - posture["pelvis_ty"] * along) / upward
    force, point = np.zeros((len(time_s), 2, 3)), np.zeros((len(time_s), 2, 3))
    force[:, :, 0], force[:, :, 1] = along[:, None] / 2, upward[:, None] / 2
    point[:, :, 0] = lever[:, None]
    write_storage(folder / "grf.mot", ground_forces_table(FEET, time_s, force, point, 0 * force))
    loads = write_external_loads(folder / "external_loads.xml", FEET)
    moments = generalized_forces(external_loads=loads)
    kinds = list(motions.values())
    suffixed = [f"{n}_{'moment' if kind == 'rotational' else 'force'}" for n, kind in motions.items()]
    tau = np.column_stack([moments.column(name) for name in suffixed])
    write_storage(folder / "moments.sto", moments_table(names, kinds, moments.time_s, tau))
    (folder / "inverse_dynamics.sto").unlink()
    (folder / "contact_off.osim").unlink()
    return folder


@pytest.fixture
def crouch(_crouch, tmp_path) -> Path:
    """Return a fresh results folder: model, kinematics, ground forces, moments; nothing prepared."""
    return Path(shutil.copytree(_crouch, tmp_path / "results"))


@pytest.fixture(scope="session")
def _prepared(_crouch, tmp_path_factory) -> Path:
    folder = Path(shutil.copytree(_crouch, tmp_path_factory.mktemp("prepared") / "results"))
    prepare(folder, window=(FROM_S, TO_S), settings=Settings(lowpass_hz=0))
    return folder


@pytest.fixture
def prepared(_prepared, tmp_path) -> Path:
    """Return a fresh results folder with the set-up of static optimization."""
    return Path(shutil.copytree(_prepared, tmp_path / "results"))


@pytest.fixture(scope="session")
def laboratories(shared):
    """Return the folders of the data sets whose tables every test of the readers reads."""
    walks = "arnold2013_walk_consistent opencap_s4_walking schreiber2019_walking"
    folders = [shared / "data" / name for name in f"{walks} hamner2013_running opensim_scaling".split()]
    if missing := [folder.name for folder in folders if not folder.is_dir()]:
        pytest.skip(f"the public recordings lack {', '.join(missing)}")
    return folders
