"""Train the joint embedding of clips and captions: losses, samplers, the model, the loop."""
