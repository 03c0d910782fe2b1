"""refold: reproducible k-fold experiments in medical image segmentation."""

from refold.run import machine

__version__ = "0.1.0"

machine.pin()  # here, because every phase imports this before it imports NumPy
