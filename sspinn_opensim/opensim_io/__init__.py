"""Everything that touches OpenSim and its files, in rooms of their own.

Only `worker` imports ``opensim``, and it runs as a process of its own, started by `process.jobs.run_job`.
This file and the rooms' stay empty of imports: the worker process executes them, and CasADi, which the rest
of the project needs, must not be loaded beside OpenSim's own copy of CasADi.
"""
