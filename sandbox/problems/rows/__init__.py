"""Readers of data sets that have one problem per row. Each module reads one data set."""
