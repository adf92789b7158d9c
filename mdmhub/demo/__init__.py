"""The demo: made-up customers of four systems, with the truth beside them; `load` alone knows the hub."""
