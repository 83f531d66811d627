"""Features of videos: backbones, the files they are kept in, and the stage that makes them."""
