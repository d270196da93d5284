"""One module for each verb of `sspinn`, named as it is typed."""
