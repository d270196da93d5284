"""Sensor-to-segment alignment: how each sensor sits on its segment, found from its own signals.

`align.align` finds it, `align.aligned` turns a recording by it, `files` keeps it. SciPy takes long to import
and a study needs none of it, so nothing is imported here.
"""
