"""Clocks of sensors: what each stream tells of its own, and how all of them become one."""
