"""Dashboards and alerts, and the code that generates the files in `deploy/` from them.

Run `python -m deploy.monitoring` to write the files.
"""
