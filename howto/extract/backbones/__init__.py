"""The backbones that come with howto; the contract is `howto.contracts.Backbone`.

Each module says what network it is, which frames it wants and what it makes of them; what they
share (normalising, padding, batches) is in `protocol`, getting a network ready in `network`.
"""
