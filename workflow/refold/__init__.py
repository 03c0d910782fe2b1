"""refold: reproducible k-fold experiments in medical image segmentation."""

__version__ = "0.1.0"
