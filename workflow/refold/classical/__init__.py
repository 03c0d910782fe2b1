"""Classical methods, called with plain arguments."""
