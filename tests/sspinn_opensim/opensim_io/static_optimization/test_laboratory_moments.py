"""Joint moments beside which the reserves of a laboratory's trial are judged."""

import dataclasses
import shutil

import numpy as np
import pytest
from scipy.interpolate import make_interp_spline

from casadi_dynamics.osim import read_model
from casadi_dynamics.symbolic import build
from sspinn_opensim.dynamics.inverse_dynamics import trial_forces
from sspinn_opensim.muscles import FastOptimizer
from sspinn_opensim.opensim_io.static_optimization.preparation import Settings, prepare
from sspinn_opensim.opensim_io.static_optimization.run import run
from sspinn_opensim.opensim_io.static_optimization.trial_files import import_trial
from sspinn_opensim.opensim_io.tables.storage import read_storage, write_storage


def test_moments_of_a_laboratorys_trial_are_exact_inverse_dynamics(lunge, tmp_path):
    """Against the converted model's own; forces at 61 Hz, a filter, and more frames than the checks look at.

    Coarser numbers would be the denominator of every reserve.
    """
    laboratory, folder = shutil.copytree(lunge, tmp_path / "laboratory"), tmp_path / "results"
    folder.mkdir()
    motion, forces = (read_storage(laboratory / name) for name in ("lunge.mot", "lunge_forces.mot"))
    for table, rate, name in ((motion, 600, "lunge.mot"), (forces, 61, "lunge_forces.mot")):
        time_s = np.arange(int(motion.time_s[-1] * rate) + 1) / rate
        values = make_interp_spline(table.time_s, table.values, k=5)(time_s)
        write_storage(laboratory / name, dataclasses.replace(table, time_s=time_s, values=values))
    settings = Settings(lowpass_hz=8.0)
    brought = import_trial(
        laboratory / "model.osim",
        laboratory / "lunge.mot",
        laboratory / "lunge_loads.xml",
        folder,
        settings=settings,
        from_s=0.3,
        to_s=0.7,
    )
    prepare(folder, window=brought.window, settings=settings, seen=brought.seen)
    verdict = run(folder, seen=brought.seen, optimizer=FastOptimizer(settings))
    moments = read_storage(folder / "moments.sto")
    functions = build(read_model(folder / "subject_static_optimization.osim"))
    time_s, tau = trial_forces(
        functions,
        folder / "kinematics.mot",
        folder / "external_loads.xml",
        lowpass_hz=settings.lowpass_hz,
        window=(0.3, 0.7),
    )
    np.testing.assert_allclose(moments.time_s, time_s, atol=1e-8)
    peaks = {name: row["peak_moment"] for name, row in verdict.reserves.items()}
    for name, curve in zip(functions.coordinates, tau.T, strict=True):
        kind = "force" if name in ("pelvis_tx", "pelvis_ty") else "moment"
        np.testing.assert_allclose(moments.column(f"{name}_{kind}"), curve, rtol=0, atol=1e-6)
        if name in peaks:
            assert peaks[name] == pytest.approx(np.abs(curve).max(), abs=1e-6)
