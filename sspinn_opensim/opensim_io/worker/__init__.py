"""Jobs of this package in OpenSim's process: functions that are handed the `opensim` library.

`casadi_dynamics.opensim_process.jobs.run_job` runs them; nothing of their modules loads CasADi.
"""
