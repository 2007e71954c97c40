"""The parts of the OpenAPI document that the models do not have: descriptions, errors and examples."""
