"""Reward functions for trainers: one adapter a file, all of them users of the client."""
