"""refold: reproducible k-fold experiments in medical image segmentation."""

from refold.run import pins

__version__ = "0.1.0"

pins.pin()  # here, because every phase imports this before it imports NumPy
