"""The definitions of dashboards and alerts, whose generated files are checked in under `deploy/`.

`python -m tests.monitoring` regenerates the files.
"""
