"""Benchmarks: each a program that prints its figures; README.md lists them."""
