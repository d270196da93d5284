"""Write the built-in recording into ``examples/demo``: ``python -m sspinn_opensim.simulation.demo.write``.

Solves the walk anew and runs OpenSim on it: a quarter of a minute on one core, and the same files each time.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import osim_models
from casadi_dynamics.model import Model
from casadi_dynamics.opensim_process.temporary import temporary_folder
from casadi_dynamics.osim import read_model
from sspinn_opensim.files import write_atomically
from sspinn_opensim.opensim_io.scaling.choices import PersonSize
from sspinn_opensim.opensim_io.scaling.scale import scale_by_height_and_mass
from sspinn_opensim.opensim_io.static_optimization import run as static_optimization
from sspinn_opensim.opensim_io.tables.external_loads import write_external_loads
from sspinn_opensim.opensim_io.tables.motion_files import ground_forces_table, kinematics_table, moments_table
from sspinn_opensim.opensim_io.tables.storage import Table, read_storage, write_storage
from sspinn_opensim.simulation.demo.recording import WalkTruth, record, with_noise
from sspinn_opensim.simulation.demo.walk import CYCLE_S, solve

#: Destination, from the root of the repository.
FOLDER = Path("examples") / "demo"
#: Muscle forces are kept for one late cycle, which starts with the contact of the right foot.
MUSCLE_WINDOW_S = (8 * CYCLE_S, 9 * CYCLE_S)
#: Decimals that are kept. A hundred samples a second, differentiated twice, multiply what is cut by 10^5.
_DECIMALS = {"kinematics": 10, "moments": 6, "grf": 6, "muscle_forces": 3, "imu": 5}


#: Who walks; the study of the demo states the same.
PERSON = PersonSize(height_m=1.72, mass_kg=68.0, name="demo")


def scaled_model(file: Path) -> Model:
    """Scale the planar model to the demo's person, write it to `file` and return it."""
    scale_by_height_and_mass(osim_models.path("planar_gait"), file, PERSON)
    return read_model(file)


def write(folder: Path, subject: Path, model: Model, truth: WalkTruth) -> None:
    """Write the recording and its references."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_imu(folder / "imu.csv", truth)
    tables = _tables(model, truth)
    for name, (suffix, table) in tables.items():
        write_storage(folder / f"reference_{name}.{suffix}", table)
    write_storage(folder / "reference_muscle_forces.sto", _muscle_forces(subject, tables, truth))


def _tables(model: Model, truth: WalkTruth) -> dict[str, tuple[str, Table]]:
    names, motions = model.coordinate_names, [c.motion for c in model.coordinates]
    tables = {
        "kinematics": ("mot", kinematics_table(names, motions, truth.time_s, truth.q)),
        "moments": ("sto", moments_table(names, motions, truth.time_s, truth.tau)),
        "grf": ("mot", ground_forces_table(truth.feet, truth.time_s, truth.force, truth.point, truth.torque)),
    }
    return {name: (suffix, _rounded(table, _DECIMALS[name])) for name, (suffix, table) in tables.items()}


def _rounded(table: Table, decimals: int) -> Table:
    time_s = np.round(table.time_s, 6)
    return Table(table.names, time_s, np.round(table.values, decimals), table.in_degrees, table.header)


def _write_imu(file: Path, truth: WalkTruth) -> None:
    acceleration, rate = with_noise(truth)
    names, columns = ["time"], [truth.time_s]
    for i, sensor in enumerate(truth.sensors):
        body = sensor.removesuffix("_imu")
        names += [f"{body}_acc_x", f"{body}_acc_y", f"{body}_gyro_z"]
        columns += [acceleration[:, i, 0], acceleration[:, i, 1], rate[:, i, 2]]
    rows = np.round(np.column_stack(columns), _DECIMALS["imu"]) + 0.0  # adding zero turns -0.0 into 0.0
    lines = [",".join(names)] + [",".join(f"{x:.5f}" for x in row) for row in rows]
    write_atomically(file, "\n".join(lines) + "\n")


def _muscle_forces(subject: Path, tables: dict[str, tuple[str, Table]], truth: WalkTruth) -> Table:
    """Return OpenSim's static optimization on the true motion, unfiltered, as it holds no noise."""
    with temporary_folder("demo") as temporary:
        folder = Path(temporary)
        (folder / "subject.osim").write_bytes(subject.read_bytes())
        for name, (suffix, table) in tables.items():
            write_storage(folder / f"{name}.{suffix}", table)
        write_external_loads(folder / "external_loads.xml", truth.feet)
        settings = static_optimization.Settings(lowpass_hz=0.0)
        static_optimization.prepare(folder, window=MUSCLE_WINDOW_S, settings=settings)
        verdict = static_optimization.run(folder)
        print(verdict)
        if not verdict.ok:
            raise RuntimeError("static optimization on the true motion is not to be trusted")
        return _rounded(read_storage(folder / "muscle_forces.sto"), _DECIMALS["muscle_forces"])


def main(arguments: Sequence[str] | None = None) -> None:
    """Solve and write; without `arguments` those of the command line count."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER, help="destination")
    folder = parser.parse_args(arguments).folder
    with temporary_folder("demo") as temporary:
        subject = Path(temporary) / "subject.osim"
        model = scaled_model(subject)
        walk = solve(model)
        print(f"{walk.speed_m_s:.3f} m/s, {CYCLE_S} s a cycle, {walk.iterations} iterations")
        write(folder, subject, model, record(model, walk))


if __name__ == "__main__":
    main()
