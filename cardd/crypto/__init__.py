"""The card's computations: ciphers, key derivation, authentication data, secure messaging, sealing."""
