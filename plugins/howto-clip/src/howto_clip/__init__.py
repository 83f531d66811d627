"""CLIP models for howto: backbones, text encoders and joint models around open_clip."""
