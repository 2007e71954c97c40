"""Training jobs: supervised fine-tuning and GRPO with TRL or verl."""
