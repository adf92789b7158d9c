"""Composition root of the hub: the only package that knows every app."""
