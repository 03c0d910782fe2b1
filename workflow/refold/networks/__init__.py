"""Networks: their layers, training loops and predictions, called with plain arguments."""
