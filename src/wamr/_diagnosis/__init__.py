"""Why something was refused, in words: what a person needs who reads the error.

Nothing here is imported before something was refused; `wamr inspect` uses it, too. `sections` reads
a module's bytes, whatever proposal they use, `proposals` says what those are, `refused` why WAMR
did not take them. `looks` tells what bytes look like that are no module, `missing` what an
instance was not given, `abis` whose imports those are.
"""
