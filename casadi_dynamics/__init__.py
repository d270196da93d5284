"""An OpenSim model as exact symbolic functions (CasADi) and fast, differentiable torch functions.

Frames and units, everywhere in this package: ground has x forward, y up, z right (OpenSim); lengths in m,
masses in kg, times in s, angles in rad, forces in N; gravity is the model's own. `q` are coordinates, `u`
their time derivatives, `udot` the second ones, all in the order of the model's coordinates (OpenSim's
`CoordinateSet`).
"""
