"""How `benchmarks.dynamics` measures: in turns, in fresh processes, and against CasADi in float64."""
