"""Fits of wrapped muscle paths: to functions that are known, and to OpenSim."""

import numpy as np
import pytest

from casadi_dynamics.model.muscles import ConditionalPathPoint, GeometryPath, Muscle, PathPoint, WrapObject
from casadi_dynamics.model.path_fits import fits_file, read_fits
from casadi_dynamics.opensim_process.jobs import run_job
from casadi_dynamics.osim import read_model
from casadi_dynamics.symbolic import build
from sspinn_opensim.opensim_io.model import path_fits
from sspinn_opensim.opensim_io.model.path_fits import Samples, fit_path, spanned_coordinates, worst_fit
from sspinn_opensim.opensim_io.worker.paths import muscle_paths
from sspinn_opensim.verbs import convert

_AT = (0.0, 0.0, 0.0)


@pytest.fixture
def public_models(shared):
    """Return the folder of public models."""
    return shared / "models"


def muscle(*middle):
    points = (PathPoint("start", "ground", _AT), *middle, PathPoint("end", "rod", _AT))
    return Muscle("puller", "Thelen2003Muscle", GeometryPath(points), 1000.0, 0.1, 0.2, 0.0, 10.0)


def samples(length, slopes, count=2000, box=((-1.0, 2.0), (0.0, 1.0))):
    box = np.array(box)
    q = box[:, 0] + np.random.default_rng(5).random((count, len(box))) * np.ptp(box, axis=1)
    return Samples(q, length(*q.T), -np.stack(slopes(*q.T), axis=1)), box


def test_a_smooth_length_needs_one_piece_and_few_terms():
    answers, box = samples(
        lambda a, b: 0.3 + 0.05 * np.sin(a) * b, lambda a, b: (0.05 * np.cos(a) * b, 0.05 * np.sin(a))
    )
    fit = fit_path(muscle(), ("a", "b"), answers, box)
    assert len(fit.pieces) == 1 and len(fit.pieces[0].coefficients) < 30
    assert fit.length_error < 5e-4 and fit.moment_arm_error < 1e-3 and fit.unanswered == 0


def test_a_jump_at_the_end_of_a_range_is_cut_there():
    def length(a, b):
        return 0.3 + 0.05 * b + np.where(a > 0.7, 0.004 + 0.02 * (a - 0.7), 0.0)

    answers, box = samples(length, lambda a, b: (np.where(a > 0.7, 0.02, 0.0), 0.05 + 0 * b))
    switch = ConditionalPathPoint("switch", "rod", _AT, "a", (0.7, 3.0))
    fit = fit_path(muscle(switch), ("a", "b"), answers, box)
    assert [(p.lower[0], p.upper[0]) for p in fit.pieces] == [(-1.0, 0.7), (0.7, 2.0)]
    assert fit.length_error < 1e-6


def test_a_jump_anywhere_is_found():
    answers, box = samples(
        lambda a, b: 0.3 + np.where(b > 0.4, 0.003, 0.0) + 0.01 * a,
        lambda a, b: (0.01 + 0 * a, 0 * b),
    )
    fit = fit_path(muscle(), ("a", "b"), answers, box)
    cuts = sorted(p.lower[1] for p in fit.pieces)
    assert cuts[0] == 0.0 and cuts[1] == pytest.approx(0.4, abs=2e-3)
    assert fit.usual_length_error < 1e-5


def test_the_errors_are_those_of_postures_left_out():
    """Noise cannot be fitted: the error that is reported is that of the noise."""
    noise = np.random.default_rng(8).normal(scale=2e-3, size=2000)
    answers, box = samples(lambda a, b: 0.3 + noise, lambda a, b: (0 * a, 0 * b))
    fit = fit_path(muscle(), ("a", "b"), answers, box)
    assert 4e-3 < fit.length_error < 2e-2 and worst_fit((fit,)) is fit


def test_a_path_spans_what_moves_its_bodies_against_one_another(public_models):
    model = read_model(public_models / "Rajagopal2016.osim")
    paths = {m.name: m.path for m in model.muscles}
    assert spanned_coordinates(model, paths["gaslat_r"]) == (
        "knee_angle_r",
        "ankle_angle_r",
        "subtalar_angle_r",
    )
    # The patella follows the knee, so what it adds counts as the knee's.
    hip = ("hip_flexion_r", "hip_adduction_r", "hip_rotation_r")
    assert spanned_coordinates(model, paths["recfem_r"]) == (*hip, "knee_angle_r")
    far = GeometryPath(paths["gaslat_r"].points, (WrapObject("w", "WrapCylinder", "femur_l"),))
    assert set(spanned_coordinates(model, far)) > {*hip, "hip_flexion_l", "knee_angle_r"}


def test_ranges_are_those_of_a_person(public_models):
    model = read_model(public_models / "gait2d.osim")
    degrees = np.rad2deg(path_fits.physiological_range(model, "hip_flexion_r"))
    assert degrees == pytest.approx((-30, 90))
    knee = model.coordinate("knee_angle_r").range
    assert path_fits.physiological_range(model, "knee_angle_r") == pytest.approx(knee, abs=1e-3)
    assert (
        path_fits.physiological_range(model, "lumbar_extension") == model.coordinate("lumbar_extension").range
    )


def test_wrapped_muscles_of_a_model_agree_with_opensim(public_models, tmp_path, caplog):
    """Postures in the ranges of the fit, none of which the fit has seen; the file is read back."""
    source = public_models / "gait2d.osim"
    model = read_model(source)
    convert.convert(source, tmp_path, paths=True)
    assert "8 wrapped muscles fitted" in caplog.text
    fits = read_fits(fits_file(tmp_path / source.name), model)
    names = [fit.muscle for fit in fits]
    functions = build(model)
    assert set(names) == {m.name for m in model.muscles if m.path.wraps}
    assert set(functions.muscle_names(fits)) == {m.name for m in model.muscles}
    rng = np.random.default_rng(11)
    ranges = np.array([path_fits.physiological_range(model, c) for c in functions.coordinates])
    q = ranges[:, 0] + rng.random((300, len(ranges))) * np.ptp(ranges, axis=1)
    np.save(tmp_path / "q.npy", q)
    arguments = {
        "model": source,
        "muscles": {fit.muscle: list(fit.coordinates) for fit in fits},
        "coordinates": list(functions.coordinates),
        "postures": tmp_path / "q.npy",
        "output": tmp_path / "answers.npz",
    }
    run_job(muscle_paths, arguments, timeout_s=120, outputs=[tmp_path / "answers.npz"])
    answers = np.load(tmp_path / "answers.npz")
    outputs = functions.muscles(names, fits).map(len(q))(
        q=q.T, u=np.zeros(q.T.shape), parameters=np.tile(functions.parameters[:, None], len(q))
    )
    arm = np.array(outputs["moment_arm"]).reshape(len(names), len(q), -1).transpose(1, 0, 2)
    assert np.abs(np.array(outputs["length"]).T - answers["length"]).max() < 1e-3
    assert np.abs(arm - answers["moment_arm"]).max() < 2e-3
