"""REST: parse, refuse or accept, hand to the service, answer."""
