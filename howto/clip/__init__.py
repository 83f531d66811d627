"""From a narration to clips with captions: lines, growing, windows.

The functions that a training set is made with are pure (`growing.grow`, `words.words`); the
classes put them behind the contract `howto.contracts.Clipper`, so that `grow` is found beside a
stranger's clipper.
"""
