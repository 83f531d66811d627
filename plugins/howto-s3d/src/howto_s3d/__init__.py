"""The MIL-NCE S3D-G for howto: a network of ours that takes the published weights."""
