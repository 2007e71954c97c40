"""What is seen of the service: dashboards and alerts, written here and checked in as `deploy/` has them.

`python -m tests.monitoring` writes the files anew.
"""
