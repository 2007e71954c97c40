"""The code that runs inside a box. It uses only the standard library and is copied into every image."""
