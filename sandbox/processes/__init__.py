"""Starting, watching and checking the service's processes on one machine."""
