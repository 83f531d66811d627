"""Speech recognition for howto with faster-whisper: Whisper in CTranslate2."""
