"""The benchmarks: public data sets as data folders, through the command line."""
