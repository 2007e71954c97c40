"""What the OpenAPI document says beyond the models: descriptions, errors and examples."""
