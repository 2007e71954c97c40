"""The process that owns a box from the inside: it prepares the workspace, starts runs and measures them."""
