"""The GPU pool: workers that serve models, train them and evaluate them, with this service for the verdicts.

Only the programs that a worker starts (`train_sft`, `train_grpo`) import torch and its kin, and they may run under an
interpreter of their own (`SANDBOX_GPU_PYTHON`): the worker itself needs what every worker needs.
"""
