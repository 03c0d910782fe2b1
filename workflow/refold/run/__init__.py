"""How a run and its jobs begin and end, and what they run on."""
