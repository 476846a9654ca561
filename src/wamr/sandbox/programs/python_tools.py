# ruff: noqa: BLE001, S307, S112, PERF401
# mypy: ignore-errors
"""A part of the program python.py, for the interpreter: functions that call the host's."""

from __future__ import annotations

import builtins

_HIDDEN = "<sandbox>"  # the file name of the code that is left out of tracebacks


def tool_maker(send, receive, to_json, state):
    """Return a function that makes tools; the arguments are python.py's functions and state."""

    def call(name, args, kwargs):
        try:
            data = to_json({"call": name, "args": args, "kwargs": kwargs})
        except (TypeError, ValueError) as error:
            raise TypeError(f"{name}(): the arguments must be JSON: {error}") from None
        limit = state["tool_bytes"]
        if len(data) > limit:
            raise ValueError(f"{name}(): the arguments have {len(data)} bytes, more than {limit}")
        send(data)
        answer = receive()
        if "error" in answer:
            raise tool_error(answer["error"])
        return answer["value"]

    def tool_error(data):
        args, message = data["args"], data["message"]
        for kind in getattr(builtins, data["type"], Exception).__mro__:
            for given in (args, [message]):
                if kind is KeyError and given == [message]:
                    given = [Text(message)]
                try:
                    error = kind(*given)
                except Exception:  # as UnicodeDecodeError, which takes five
                    continue
                if type(error) is kind:  # not what OSError makes of a number, which differ here
                    error.__dict__["_of_tool"] = True
                    return error
        return RuntimeError(data["message"])

    class Text(str):
        """The message of a KeyError, which shows the repr of its argument."""

        __slots__ = ()

        def __repr__(self) -> str:
            return str(self)

    class Default:
        """The default value of a parameter of a tool, which only the host knows."""

        def __init__(self, text):
            self.text = text

        def __repr__(self) -> str:
            return self.text

    def make_tool(tool):
        """Return the function with which code calls a tool of the host."""
        name, parameters = tool["name"], tool["parameters"]
        of_tool = [name, *(parameter["name"] for parameter in parameters)]
        own = "_wamr_"  # with which no name of the tool begins
        while any(of.startswith(own) for of in of_tool):
            own += "_"
        defaults = []
        inner = {own + "Default": Default, own + "call": call, own + "defaults": defaults}
        before, named, signature, star = [], [], [], False  # before: what is passed by position
        kinds = [parameter["kind"] for parameter in parameters]
        for i, parameter in enumerate(parameters):
            kind, of = parameter["kind"], parameter["name"]
            text = of
            if kind == "VAR_POSITIONAL":
                text, star = "*" + of, True
                before.append((of, kind))
            elif kind == "VAR_KEYWORD":
                text = "**" + of
            elif kind == "KEYWORD_ONLY":
                if not star:
                    signature.append("*")
                    star = True
                named.append(of)
            elif kind == "POSITIONAL_ONLY" or "VAR_POSITIONAL" in kinds:
                before.append((of, kind))
            else:
                named.append(of)
            if "default" in parameter or "shown" in parameter:
                value = parameter.get("default")
                if "shown" in parameter:
                    value = Default(parameter["shown"])
                defaults.append(value)
                text += f"={own}defaults[{len(defaults) - 1}]"
            signature.append(text)
            if kind == "POSITIONAL_ONLY" and kinds[i + 1 : i + 2] != [kind]:
                signature.append("/")
        body = []
        for of, kind in before:
            if kind == "VAR_POSITIONAL":
                body.append(f"{own}args.extend({of})")
                continue
            body.append(f"if {of}.__class__ is {own}Default: {own}omitted = True")
            if kind == "POSITIONAL_ONLY":  # after an omitted one, it has its default value
                body.append(f"elif not {own}omitted: {own}args.append({of})")
            else:
                body.append(f"elif {own}omitted: {own}kwargs[{of!r}] = {of}")
                body.append(f"else: {own}args.append({of})")
        for of in named:
            body.append(f"if {of}.__class__ is not {own}Default: {own}kwargs[{of!r}] = {of}")
        if kinds[-1:] == ["VAR_KEYWORD"]:
            body.append(f"{own}kwargs.update({parameters[-1]['name']})")
        lines = [
            f"def {name}({', '.join(signature)}):",
            f"  {own}args, {own}kwargs, {own}omitted = [], {{}}, False",
            *("  " + line for line in body),
            f"  return {own}call({name!r}, {own}args, {own}kwargs)",
        ]
        exec(compile("\n".join(lines), _HIDDEN, "exec"), inner)
        function = inner[name]
        function.__doc__ = tool["doc"]
        function.__module__ = "tools"
        annotations = tool["annotations"].items()
        function.__annotations__ = {of: annotation(text) for of, text in annotations}
        return function

    def annotation(text):
        try:
            return eval(text, {"__builtins__": builtins})
        except Exception:
            return text

    return make_tool
