"""What a results folder can hold, and its README.txt for whoever opens it in OpenSim.

`FILES` is the one list of results files: README.txt, the table in README.md and ``sspinn open`` come from it.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from sspinn_opensim.results.gui_steps import contents, gui_steps

README_FILE, MANIFEST_FILE = "README.txt", "manifest.json"


@dataclasses.dataclass(frozen=True)
class ResultFile:
    """A file or folder (its name then ends in ``/``) of a results folder.

    Parameters
    ----------
    name : str
        Relative to the folder.
    holds : str
        What it holds, with units.
    verb : str
        The verb of ``sspinn`` that writes it.
    """

    name: str
    holds: str
    verb: str


FILES = (
    ResultFile("report.html", "everything on one page; open it in a browser", "evaluate"),
    ResultFile("subject.osim", "the scaled model, with contact points and IMU frames", "scale"),
    ResultFile("kinematics.mot", "every coordinate of the model: degrees, metres", "estimate"),
    ResultFile("moments.sto", "the estimated joint moments: N m", "estimate"),
    ResultFile("grf.mot", "force, point and torque on each foot, in ground: N, m, N m", "estimate"),
    ResultFile("kinematics_sd.mot", "how far kinematics.mot may be off: one standard deviation", "estimate"),
    ResultFile("moments_sd.sto", "the same for moments.sto", "estimate"),
    ResultFile("grf_sd.mot", "the same for grf.mot", "estimate"),
    ResultFile("external_loads.xml", "says on which body each ground force acts", "estimate"),
    ResultFile(
        "static_optimization_setup.xml",
        "set-up of static optimization, with paths relative to the folder",
        "muscles",
    ),
    ResultFile(
        "subject_static_optimization.osim",
        "the model with its own contact switched off, so that the ground acts once",
        "muscles",
    ),
    ResultFile("static_optimization_actuators.xml", "residual and reserve actuators", "muscles"),
    ResultFile(
        "static_optimization/",
        "the two tables of OpenSim's static optimization, with the actuators",
        "muscles",
    ),
    ResultFile("muscle_forces.sto", "muscle forces: N", "muscles"),
    ResultFile("muscle_activations.sto", "muscle activations: 0 to 1", "muscles"),
    ResultFile(
        "static_optimization.json",
        "can the muscle forces be trusted: failed frames, reserves, residuals",
        "muscles",
    ),
    ResultFile(
        "static_optimization_frames.sto",
        "of every frame: whether it was solved, largest reserve, residuals and activations",
        "muscles",
    ),
    ResultFile("muscle_groups/", "a picture of each muscle group", "muscles"),
    ResultFile(
        "inverse_dynamics.sto", "joint moments by OpenSim's inverse dynamics: N m", "inverse-dynamics"
    ),
    ResultFile(
        "inverse_dynamics.json",
        "how far moments.sto and the converted model are from them, by coordinate",
        "inverse-dynamics",
    ),
    ResultFile("inverse_dynamics_setup.xml", "set-up of inverse dynamics", "inverse-dynamics"),
    ResultFile(
        "subject_inverse_dynamics.osim",
        "the model with its own contact switched off, if it has some",
        "inverse-dynamics",
    ),
    ResultFile(
        "joint_reactions.sto",
        "force, moment and point on one body of each joint: N, N m, m",
        "joint-reactions",
    ),
    ResultFile("joint_reactions.json", "peaks of the joint contact forces", "joint-reactions"),
    ResultFile("joint_reactions_setup.xml", "set-up of the joint reaction analysis", "joint-reactions"),
    ResultFile(
        "joint_reactions_forces.sto",
        "force of every muscle and actuator, which the analysis applies",
        "joint-reactions",
    ),
    ResultFile("joint_reactions/", "what OpenSim wrote, as it wrote it", "joint-reactions"),
    ResultFile(
        "given_forces.sto", "muscle forces of a laboratory's own static optimization", "joint-reactions"
    ),
    ResultFile(
        "scaling/",
        "scaled from markers: what OpenSim's ScaleTool read and wrote, with a set-up to load",
        "scale",
    ),
    ResultFile("scaling.json", "what scaling did", "scale"),
    ResultFile("conversion.json", "how closely the converted model agrees with OpenSim", "convert"),
    ResultFile("metrics.json", "the errors against the reference", "evaluate"),
    ResultFile("seeds/", "the estimate of every seed", "estimate"),
    ResultFile("training/", "networks and loss histories", "train"),
    ResultFile(MANIFEST_FILE, "versions, settings, and a SHA-256 of every input and output", ""),
    ResultFile(README_FILE, "this list, and what to open in OpenSim", ""),
)


def readme(title: str, folder: Path) -> str:
    """Return the text for what a results folder holds now: the steps in OpenSim's GUI, and its files."""
    numbered = enumerate(gui_steps(contents(folder)), start=1)
    steps = "\n".join(f"  {number}. {step}" for number, step in numbered)
    written_now = (README_FILE, MANIFEST_FILE)
    there = [file for file in FILES if (folder / file.name).exists() or file.name in written_now]
    width = max(len(file.name) for file in there) + 2
    listed = "\n".join(f"  {file.name:{width}}{file.holds}" for file in there)
    return (
        f"{title}\n\n"
        f"In the OpenSim GUI\n{steps or '  nothing to open yet'}\n\n"
        f"Files\n{listed}\n\n"
        "The folder can be moved: no file in it holds an absolute path.\n"
        "`sspinn open FOLDER` prints these steps and says which files have changed since they were written.\n"
    )
