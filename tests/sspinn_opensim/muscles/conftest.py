"""OpenSim's own static optimization of a part of the built-in walk, and scripts run where OpenSim is."""

import dataclasses
import shutil
from pathlib import Path

import pytest

import osim_models
from casadi_dynamics.opensim_process.jobs import run_job
from sspinn_opensim.opensim_io.static_optimization.preparation import Settings, prepare
from sspinn_opensim.opensim_io.tables.external_loads import write_external_loads
from sspinn_opensim.opensim_io.tables.storage import Table, read_storage, write_storage
from sspinn_opensim.opensim_io.worker.tools import static_optimization

#: Part of the walk that is kept.
FROM_S, TO_S = 7.6, 8.4
FEET = ("foot_r", "foot_l")
#: OpenSim's optimizer stops at this error; at its usual 1e-4 its forces are off by 0.3 % of the maximum.
STRICT = {"convergence": 1e-8, "max_iterations": 2000}


@dataclasses.dataclass(frozen=True)
class Walk:
    """A folder with a set-up of static optimization, and what OpenSim made of it."""

    folder: Path
    window: tuple[float, float]
    settings: Settings
    forces: Table
    activations: Table

    @property
    def files(self) -> dict:
        """Arguments of `fast_muscle_forces`."""
        return {
            "model_file": self.folder / "subject_static_optimization.osim",
            "motion": self.folder / "kinematics.mot",
            "external_loads": self.folder / "external_loads.xml",
            "actuators": [self.folder / "static_optimization_actuators.xml"],
        }


@pytest.fixture(scope="session")
def walk_files(repository, tmp_path_factory) -> Path:
    """Return a folder with the built-in model and a motion with ground forces (of a somewhat heavier one)."""
    folder = tmp_path_factory.mktemp("walk")
    shutil.copy(osim_models.path("planar_gait"), folder / "subject.osim")
    for name in ("kinematics.mot", "grf.mot"):
        table = read_storage(repository / "examples" / "demo" / f"reference_{name}")
        kept = (table.time_s > FROM_S - 1e-6) & (table.time_s < TO_S + 1e-6)
        shorter = dataclasses.replace(table, time_s=table.time_s[kept], values=table.values[kept])
        write_storage(folder / name, shorter)
    write_external_loads(folder / "external_loads.xml", FEET)
    return folder


@pytest.fixture(scope="session")
def solve_with_opensim():
    """Return a function that prepares a folder, lets OpenSim solve, and returns the `Walk`."""

    def solve(folder: Path, window: tuple[float, float], **settings) -> Walk:
        chosen = Settings(**(STRICT | settings))
        setup = prepare(folder, window=window, settings=chosen)
        outputs = [
            folder / "static_optimization" / f"subject_StaticOptimization_{kind}.sto"
            for kind in ("force", "activation")
        ]
        run_job(static_optimization, {"setup": setup}, timeout_s=300, outputs=outputs)
        return Walk(folder, window, chosen, *map(read_storage, outputs))

    return solve
