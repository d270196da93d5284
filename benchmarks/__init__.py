"""Measurements that are run by hand; each prints what it measured, on what, and what it is compared with."""
