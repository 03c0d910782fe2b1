"""The plain CNN of a common tutorial, made fully convolutional, in the report's words."""

from __future__ import annotations

from refold.core.language import N_, _
from refold.methods.base import About
from refold.methods.cnn import CNN

TITLE = N_("plain convolutional network")
REFERENCES = {
    "fcn": "Long J, Shelhamer E, Darrell T. Fully convolutional networks for semantic segmentation. CVPR 2015."
}
SOURCES = ("fcn",)


def details(m: CNN, about: About) -> list[str]:
    one, two = m.features
    return [
        _("two stages of convolution, ReLU and max pooling ({one} and {two} feature maps)", one=one, two=two),
        _("a dense layer of {units} units as a convolution of size 1", units=m.dense),
        _("upsampling by transposed convolutions"),
    ]
