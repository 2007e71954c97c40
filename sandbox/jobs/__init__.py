"""The queue: envelopes of submissions in RQ lanes on Redis, the workers that run them, and the way their results come
back.
"""
