"""A register of persons and cards in an SQLite file: what a card centre keeps, for those that have none to ask.

The local authority of a daemon and the simulated centre have the same one. It blocks, knows no network and no event
loop, and speaks in the messages of `cardd.wire.authority`.
"""
