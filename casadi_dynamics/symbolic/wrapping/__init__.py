"""Paths around surfaces: OpenSim's wrap objects as CasADi functions, rule for rule."""
