"""Training of one method on one fold."""
