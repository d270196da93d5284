"""The README.txt of a results folder, for whoever opens it in OpenSim."""

from __future__ import annotations

from sspinn_opensim.study import Study


def readme(study: Study) -> str:
    """Return the text for a study's results."""
    return f"""{study.name}: motion and forces estimated from inertial sensors

In the OpenSim GUI
  1. File > Open Model: subject.osim (the model scaled to {study.person.name})
  2. File > Load Motion: kinematics.mot
  3. To see the ground forces: right-click the motion > Associate Motion Data > grf.mot
  4. Muscle forces: Tools > Analyze > Load: static_optimization_setup.xml, then Run
     (done already: muscle_forces.sto and muscle_activations.sto; Tools > Plot shows them)

Files
  subject.osim                        scaled model with contact points and IMU frames
  kinematics.mot                      every coordinate of the model: degrees, metres
  moments.sto                         estimated joint moments: N m
  grf.mot                             force, point and torque on each foot, in ground: N, m, N m
  kinematics_sd.mot                   how far kinematics.mot may be off: one standard deviation
  moments_sd.sto                      the same for moments.sto
  grf_sd.mot                          the same for grf.mot
  external_loads.xml                  applies grf.mot to the feet
  static_optimization_setup.xml       set-up of static optimization; paths are relative to this folder
  subject_static_optimization.osim    the model with its own contact switched off
  static_optimization_actuators.xml   residual and reserve actuators
  muscle_forces.sto                   N
  muscle_activations.sto              0 to 1
  static_optimization.json            is the optimization to be trusted?
  scaling.json, conversion.json       what scaling did; agreement of the converted model with OpenSim
  seeds/, training/                   the estimate of every seed; networks and loss histories
  metrics.json, report.html           comparison with the reference, and everything as one page

The folder can be moved: no file in it holds an absolute path.
"""
