"""Reward functions for trainers, one adapter per module. All of them use the client."""
