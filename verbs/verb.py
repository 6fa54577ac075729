"""What all verbs share: how they fail, and the options that several of them have."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

from invoke import Argument, Context, Exit, ParseError, Task
from invoke.parser.parser import ParseMachine

from infra import console, errors
from infra import host as hosts

YES = {"yes": "Agree in advance to what would be asked."}
JSON = {"json": "Print JSON."}
HOST = {"host": "Do this on that host of the inventory, in its current release."}


def verb(function: Callable[..., Any]) -> Callable[..., Any]:
    """Turn every error into its three parts and exit code; no traceback reaches a user without --debug."""

    @functools.wraps(function)
    def wrapped(context: Context, *args: Any, **kwargs: Any) -> Any:
        try:
            return function(context, *args, **kwargs)
        except errors.EXPECTED as error:
            if "--debug" in sys.argv or "-d" in sys.argv:
                raise
            shown = errors.explained(error)
            console.show_error(shown)
            sys.exit(shown.exit_code)
        except KeyboardInterrupt:
            console.warn("Interrupted. Run the same command again to complete it.")
            sys.exit(130)

    return wrapped


class AnywhereTask(Task[Any]):
    """A verb with the option --host, which has no short form: -h is --help."""

    def arg_opts(self, name: str, default: Any, taken_names: set[str]) -> dict[str, Any]:
        """Return what the parser is to know of an option."""
        found: dict[str, Any] = super().arg_opts(name, default, taken_names)
        if name == "host":
            found["names"] = ("host",)
        return found


def anywhere(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb the option --host: it then does on that host what it does here."""
    module = function.__module__.rpartition(".")[2]
    name = function.__name__.strip("_") if module == "tasks" else f"{module}.{function.__name__.strip('_')}"

    @functools.wraps(function)
    def wrapped(context: Context, *args: Any, host: str = "", **kwargs: Any) -> Any:
        if host:
            sys.exit(hosts.run_verb(host, name, *hosts.options(kwargs)))
        return function(context, *args, **kwargs)

    return wrapped


def _may_be_left_out(machine: ParseMachine) -> None:
    """Give positional arguments that were left out an empty text: the verb knows a default, or says what is missing."""
    for argument in machine.context.missing_positional_args if machine.context else ():
        argument.value = ""
    _complete_context(machine)


def _takes_several(machine: ParseMachine) -> Argument | None:
    """Return the present verb's positional argument that may be given several times, None where it has none."""
    return next((item for item in machine.context.positional_args if item.kind is list), None)


def _next_verb_first(machine: ParseMachine, word: str) -> None:
    """Start the verb that a word names, or tell of this one, also where it could still take a positional argument.

    What bears a verb's name is given by its option: `science.pin --user status latest`.
    """
    free = machine.current_state == "context" and not machine.waiting_for_flag_value
    if free and word in machine.contexts:
        machine.see_context(word)
    elif free and word == "--help":
        machine.initial.flags[word].value = machine.context.name
    elif free and not word.startswith("-") and (several := _takes_several(machine)):
        several.value = word  # of a list: one more
    else:
        _handle(machine, word)


class UnreadableError(ParseError, Exit):
    """Words that cannot be read: invoke shows a ParseError and completes words by it, and takes the code of an Exit."""

    def __init__(self, text: str, context: Any) -> None:
        Exception.__init__(self, text)
        self.context, self.message = context, None

    @property
    def code(self) -> int:
        """That of wrong usage."""
        return 2


def _say_what_to_do(machine: ParseMachine, message: str) -> None:
    """Say what cannot be read, and who knows better.

    Raises:
        UnreadableError: Always.
    """
    name = machine.context.name if machine.context else None
    next_step = f"invoke {name} --help" if name else "`invoke` tells which verbs there are."
    raise UnreadableError(f"Error: {message}\nNext: {next_step}", machine.context)


# invoke itself only knows positional arguments that must be there, and has no three-part message for a missing one.
_complete_context, _handle = ParseMachine.complete_context, ParseMachine.handle
setattr(ParseMachine, "complete_context", _may_be_left_out)  # noqa: B010 - mypy knows no assigned methods
setattr(ParseMachine, "handle", _next_verb_first)  # noqa: B010
setattr(ParseMachine, "error", _say_what_to_do)  # noqa: B010
