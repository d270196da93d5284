"""Everything that touches OpenSim and its files: tables, external loads, scaling, static optimization.

Only `worker` imports ``opensim``, and it runs as a process of its own, started by `jobs.run_job`.
This file stays empty of imports: the worker process executes it, and CasADi, which the rest of the
project needs, must not be loaded beside OpenSim's own copy of CasADi.
"""
