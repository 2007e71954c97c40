"""Readers of data sets that have one problem a row, one data set a file."""
