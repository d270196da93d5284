"""Damaged studies, manifests, reports, histories and checkpoints: read or refused, no crash and no hang."""

import json
import shutil

import osim_models
from benchmarks.folder_mutations import run
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.results.record import recorded
from sspinn_opensim.study import examples_folder, read_study
from sspinn_opensim.training.checkpoint import identity, save
from sspinn_opensim.training.cohort import single_person_cohort
from sspinn_opensim.training.settings import TrainingSettings
from sspinn_opensim.training.trainer import Trainer

VERDICT = {
    "ok": True,
    "worst_reserve_percent": 1.0,
    "frames": 10,
    "failed_frames": 0,
    "muscles": {"soleus_r": {"peak_force_n": 1.0, "peak_activation": 0.5, "saturated_frames": 0}},
    "reserves": {"knee_angle_r": {"peak": 1.0, "percent": 0.5}},
    "residuals": {},
    "failures": [],
    "warnings": ["look"],
}
SCALING = {
    "height_m": 1.7,
    "mass_kg": 68.0,
    "factors": {"pelvis": [1, 1, 1]},
    "body_mass_kg": {"pelvis": [9, 9]},
}


def test_damaged_files_are_read_or_refused(walker, tmp_path):
    shutil.copytree(examples_folder() / "demo", tmp_path / "study" / "demo")
    study = shutil.copy(examples_folder() / "demo.toml", tmp_path / "study" / "demo.toml")
    files = ResultsFolder(tmp_path / "results")
    settings = TrainingSettings(steps=1)
    trainer = Trainer(single_person_cohort(walker.subject, walker.signals), settings)
    with recorded(files.path, "train", study=read_study(study)):
        shutil.copy(osim_models.path("planar_gait.osim"), files.subject)
        save(files.checkpoint(0), trainer, identity(walker.subject, walker.recording, settings))
        files.history(0).write_text("step,torque,total\n1,0.5,2.0\n2,0.4,1.0\n")
    files.scaling.write_text(json.dumps(SCALING))
    files.static_optimization_verdict.write_text(json.dumps(VERDICT))
    counts, faults = run(files.path, study, 180, seed=1)
    assert not faults, faults[0]
    assert counts["refused"] > 90 and counts["read"] > 10, "the damage is neither too rough nor none at all"
