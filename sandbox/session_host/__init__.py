"""The session host process: it provides boxes for sessions, serves their calls, and ends sessions that expire."""
