"""What is seen of the service: dashboards and alerts, written here and checked in as `deploy/` has them.

`python -m deploy.monitoring` writes the files anew.
"""
