"""Verdicts as rewards: code out of completions, score rules, and the reward protocols of the RL trainers."""
