"""The demo: made-up customers of four systems, with the truth beside them. Pure: standard library only."""
