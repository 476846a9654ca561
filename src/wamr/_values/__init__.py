"""Values on their way between Python and wasm: numbers, vectors and externrefs."""
