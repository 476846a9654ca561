"""The command line, one module per command.

`command` chooses; `options` and `output` are what the commands share: how arguments and errors
look. `binary`, `sections` and `features` read a module's bytes by themselves, so that `inspect` can
look into what WAMR refuses. Commands use the package as any user does, through `import wamr`.
"""
