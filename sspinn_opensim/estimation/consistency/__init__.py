"""Consistency of an estimate: the smallest correction after which motion, ground forces and masses agree."""
