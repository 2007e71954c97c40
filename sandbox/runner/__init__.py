"""What runs inside a box: standard library only, copied into every image."""
