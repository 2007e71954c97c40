"""The Helm chart in `deploy/helm/sandbox`, and the code that generates it from the kustomize files.

Run `python -m deploy.helm` to write the chart.
"""
