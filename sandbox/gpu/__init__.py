"""The GPU pool: workers that serve, train and evaluate models, and get their verdicts from this service.

Only the programs that a worker starts (such as `train_sft` and `train_grpo`) import torch and similar packages. They
may run in a separate interpreter (`SANDBOX_GPU_PYTHON`), so a GPU worker needs no more packages than any other worker.
"""
