"""Training a causal network on IMU signals alone: body, network, physics losses and the loop.

Nothing here reads, or imports anything that reads, a reference measurement.
"""
