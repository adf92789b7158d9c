"""Addresses of the API that belong to this room."""
