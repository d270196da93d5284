"""Routes to generalized forces: this project's, and the peers it is measured against."""
