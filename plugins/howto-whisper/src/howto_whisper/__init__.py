"""Speech recognition for howto with OpenAI's Whisper."""
