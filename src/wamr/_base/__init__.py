"""The lowest layer: immutable values, argument checks, lifetimes, names. It imports no other."""
