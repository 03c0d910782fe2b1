"""Who is trained on and who is tested on, by patient: ``results/splits.json``."""
