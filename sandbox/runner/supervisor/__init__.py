"""The process that controls a box from inside: it prepares the workspace, starts runs and measures them."""
