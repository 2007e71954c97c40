"""The process of a host that holds sessions: it lends boxes, serves calls, and ends sessions that expire."""
