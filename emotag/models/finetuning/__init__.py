"""Pretrained networks fine-tuned on labelled photos."""
